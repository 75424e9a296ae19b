/** From V8's profile (a tree of calls, and which node each sample hit) to time per stage and per function. Pure. */
import { z } from 'zod';
import { type CallFrame, ofNobody, type Stage, stageOf, stages } from './stages.ts';

export const cpuProfile = z.object({
  nodes: z.array(
    z.object({
      id: z.int(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.int() }),
      children: z.array(z.int()).optional(),
    }),
  ),
  samples: z.array(z.int()),
  /** Microseconds from the sample before. */
  timeDeltas: z.array(z.number()),
});
export type CpuProfile = z.infer<typeof cpuProfile>;
type ProfileNode = CpuProfile['nodes'][number];

export interface FunctionTime {
  readonly name: string;
  readonly stage: Stage;
  readonly us: number;
}

export interface GroupedProfile {
  /** Every stage, in order. Microseconds of the main thread. */
  readonly stageUs: ReadonlyMap<Stage, number>;
  readonly busyUs: number;
  readonly idleUs: number;
  /** By their own time, the longest first. */
  readonly functions: readonly FunctionTime[];
}

export function groupProfile(profile: CpuProfile): GroupedProfile {
  const ownUs = timePerNode(profile);
  const stageUs = new Map<Stage, number>(stages.map((stage) => [stage, 0]));
  const functions = new Map<string, FunctionTime>();
  let idleUs = 0;
  for (const { node, stage } of withStages(profile)) {
    const us = ownUs.get(node.id) ?? 0;
    if (stage === 'idle') {
      idleUs += us;
      continue;
    }
    stageUs.set(stage, (stageUs.get(stage) ?? 0) + us);
    const name = nameOf(node.callFrame);
    const key = `${name} ${stage}`;
    functions.set(key, { name, stage, us: (functions.get(key)?.us ?? 0) + us });
  }
  const busyUs = [...stageUs.values()].reduce((sum, us) => sum + us, 0);
  return { stageUs, busyUs, idleUs, functions: [...functions.values()].sort((one, other) => other.us - one.us) };
}

/** A sample says where the time since the one before it went. */
function timePerNode({ samples, timeDeltas }: CpuProfile): Map<number, number> {
  const times = new Map<number, number>();
  samples.forEach((id, index) => {
    // V8's clock may step back by a little between two samples.
    times.set(id, (times.get(id) ?? 0) + Math.max(0, timeDeltas[index] ?? 0));
  });
  return times;
}

/** Every node with its own stage, or its nearest caller's. */
function withStages({ nodes }: CpuProfile): { node: ProfileNode; stage: Stage | 'idle' }[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const children = new Set(nodes.flatMap((node) => node.children ?? []));
  const found: { node: ProfileNode; stage: Stage | 'idle' }[] = [];
  const waiting = nodes
    .filter(({ id }) => !children.has(id))
    .map((node) => ({ node, inherited: ofNobody as Stage | 'idle' }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, inherited } = next;
    const stage = stageOf(node.callFrame) ?? inherited;
    found.push({ node, stage });
    for (const id of node.children ?? []) {
      const child = byId.get(id);
      if (child !== undefined) waiting.push({ node: child, inherited: stage });
    }
  }
  return found;
}

function nameOf({ functionName, url }: CallFrame): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  const file = url.replace(/^.*\/node_modules\//, '').replace(/^.*\/(core|actors|contracts)\//, '$1/');
  return file === '' ? name : `${name}  ${file}`;
}
