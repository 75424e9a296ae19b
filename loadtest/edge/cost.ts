/**
 * Processor time per request of the workerd process: our Worker and a bare proxy, before the same trivial origin, in one
 * interleaved run, so that a machine that gets slower gets slower for all.
 */
import { join } from 'node:path';
import type { Server } from '@local-plus/deploy';
import { readTrees } from '../processor-time.ts';
import type { Generator } from './generator.ts';
import type { Workers } from './parts.ts';
import { writeRequests } from './requests.ts';
import { type Kind, requestsOf } from './traffic.ts';

export interface CostRound {
  /** Of the workerd process, all its threads, in its own and the kernel's code. */
  readonly cpuUs: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly answers: number;
}

export interface CostSeries {
  readonly worker: 'edge' | 'bare';
  readonly kind: Kind;
  readonly rounds: readonly CostRound[];
}

export interface CostSettings {
  readonly generator: Generator;
  readonly dir: string;
  readonly connections: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly log: (line: string) => void;
}

/** Different requests of a kind; they come round and round. */
const REQUESTS = 2_000;

const contests = [
  { worker: 'edge', kind: 'get' },
  { worker: 'bare', kind: 'get' },
  { worker: 'edge', kind: 'post' },
  { worker: 'bare', kind: 'post' },
  { worker: 'edge', kind: 'catalog' },
] as const;

export async function measureCost(workers: Workers, settings: CostSettings): Promise<CostSeries[]> {
  const series = contests.map((contest) => ({ ...contest, rounds: [] as CostRound[] }));
  for (const kind of ['get', 'post', 'catalog'] as const)
    writeRequests(fileOf(settings, kind), requestsOf(kind, REQUESTS));
  for (let number = 0; number < settings.rounds; number++) {
    // Turned by one each round, so that nobody always follows the same neighbour.
    const turn = number % series.length;
    for (const { worker, kind, rounds } of [...series.slice(turn), ...series.slice(0, turn)]) {
      const round = await runRound(workers[worker], kind, settings);
      rounds.push(round);
      settings.log(
        `round ${number + 1}  ${worker}, ${kind}: ${round.cpuUs.toFixed(0)} µs, ${round.perSecond.toFixed(0)}/s`,
      );
    }
  }
  return series;
}

const fileOf = ({ dir }: CostSettings, kind: Kind): string => join(dir, `${kind}.requests`);

/** Errors: a plain Error when an answer was no success, or did not come. */
async function runRound(server: Server, kind: Kind, settings: CostSettings): Promise<CostRound> {
  const { generator, connections, seconds, warmupSeconds } = settings;
  const load = { file: fileOf(settings, kind), port: server.port, connections };
  if (warmupSeconds > 0) await generator.run({ ...load, seconds: warmupSeconds });
  const beforeS = cpuSecondsOf(server);
  const { answers, notOk, broken, elapsedMs, p50Ms, p99Ms } = await generator.run({ ...load, seconds });
  const cpuS = cpuSecondsOf(server) - beforeS;
  if (answers === 0 || notOk > 0 || broken > 0) {
    throw new Error(`${server.url}, ${kind}: ${answers} answers, ${notOk} of them no success, ${broken} did not come`);
  }
  return { cpuUs: (cpuS / answers) * 1e6, perSecond: answers / (elapsedMs / 1_000), p50Ms, p99Ms, answers };
}

function cpuSecondsOf({ pid, name }: Server): number {
  const use = pid === null ? undefined : readTrees([pid]).get(pid);
  if (use === undefined) throw new Error(`${name} does not run, or this system has no /proc`);
  return use.cpuS;
}
