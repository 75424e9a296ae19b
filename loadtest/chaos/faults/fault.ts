/** What a fault is, and what it gets to work with. */
import type { Caller } from '../clients/caller.ts';
import { limits } from '../limits.ts';
import type { LinkName } from '../stage/links.ts';
import type { Part } from '../stage/part.ts';
import type { Stage } from '../stage/stage.ts';
import type { Tenant } from '../tenant.ts';

/** Faults of different lanes happen beside each other; those of one lane one after the other. */
export type Lane = 'core' | 'around';
export const lanes: readonly Lane[] = ['core', 'around'];

/** Everything that chance decides about one fault, drawn from the seed before the run begins. Each takes what it needs. */
export interface Draw {
  /** Which process of core, from 1. */
  readonly core: number;
  readonly link: LinkName;
  /** How long it lasts, and how long what was ended stays away. */
  readonly forMs: number;
  readonly backMs: number;
  readonly bytes: number;
  readonly count: number;
  readonly flag: boolean;
}

/** What is measured from: moments of the run, by the suite's monotonic clock. */
export type Mark =
  | {
      readonly kind: 'core-killed' | 'core-terminated';
      readonly atMs: number;
      readonly backMs: number;
      readonly core: number;
      readonly shards: readonly number[] | null;
    }
  /** A process that was stopped, or cut off, and goes on. */
  | {
      readonly kind: 'core-stopped' | 'core-parted';
      readonly atMs: number;
      readonly core: number;
      readonly wasReplaced: boolean;
    }
  | { readonly kind: 'core-back' | 'core-left'; readonly atMs: number; readonly core: number }
  | { readonly kind: 'postgres-killed' | 'postgres-back' | 'kafka-killed' | 'edge-killed'; readonly atMs: number };

export interface Scene {
  readonly stage: Stage;
  readonly tenant: Tenant;
  readonly caller: Caller;
  readonly mark: (mark: Mark) => void;
  /** Sleeps; ends early, by throwing, when the run is ended from outside. */
  readonly pause: (ms: number) => Promise<void>;
}

export interface Fault {
  /** Kebab-case; `--faults` takes it. */
  readonly name: string;
  readonly lane: Lane;
  /** How often it comes, compared with the others of its lane. */
  readonly weight: number;
  readonly does: string;
  /** What has to be so afterwards. */
  readonly leaves: string;
  /** Which trouble of real life it stands for. */
  readonly standsFor: string;
  readonly forMs: readonly [min: number, max: number];
  readonly backMs?: readonly [min: number, max: number];
  /** Of the links it may strike; any when absent. */
  readonly links?: readonly LinkName[];
  /** What it needs beyond processes and sockets. */
  readonly needs?: 'disk' | 'clocks' | 'namespaces';
  /** Does the harm, and heals it. Resolves when it is over. */
  strike(scene: Scene, draw: Draw): Promise<void>;
}

/** The shards that a process of core owns now; null: nobody can tell. */
export async function shardsOf({ stage }: Scene, core: number): Promise<number[] | null> {
  const owners = await stage.observer.owners();
  return owners?.flatMap((owner, shard) => (owner === core ? [shard] : [])) ?? null;
}

/**
 * Waits until others have all shards that a process had when it was last heard of; false when that takes too long, or when it
 * is not known to have had any: then nobody has taken anything from it, and it lives on.
 */
export async function isReplaced(scene: Scene, core: number, had: readonly number[] | null): Promise<boolean> {
  const endMs = performance.now() + limits.takeOverMs;
  do {
    await scene.pause(limits.pollMs);
    if ((await shardsOf(scene, core))?.length === 0) return had !== null && had.length > 0;
  } while (performance.now() < endMs);
  return false;
}

/** SIGKILL, of one that starts, too. Resolves to how to await its return; nothing happens when there is no process. */
export async function killCore(scene: Scene, core: number, backMs: number): Promise<() => Promise<void>> {
  const part = scene.stage.core(core);
  const { starts } = part;
  if (part.server.pid === null) return () => part.isBack();
  const shards = await shardsOf(scene, core);
  scene.mark({ kind: 'core-killed', atMs: performance.now(), core, backMs, shards });
  await part.kill(backMs);
  return async () => {
    await part.isBack(starts);
    scene.mark({ kind: 'core-back', atMs: performance.now(), core });
  };
}

/** SIGTERM, and its return awaited. */
export async function restartCore(scene: Scene, core: number, backMs: number): Promise<void> {
  const part = scene.stage.core(core);
  await part.isBack();
  const { starts } = part;
  const shards = await shardsOf(scene, core);
  const { exited } = part.server;
  scene.mark({ kind: 'core-terminated', atMs: performance.now(), core, backMs, shards });
  part.signal('SIGTERM', backMs);
  await exited;
  scene.mark({ kind: 'core-left', atMs: performance.now(), core });
  await part.isBack(starts);
  scene.mark({ kind: 'core-back', atMs: performance.now(), core });
}

/** Kills a part, and awaits its return. */
export async function killPart(part: Part, backMs: number): Promise<void> {
  const { starts } = part;
  await part.kill(backMs);
  await part.isBack(starts);
}
