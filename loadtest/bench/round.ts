/**
 * One round of one side: requests made and signed, a short warm-up, the measured seconds, then the count of rows.
 *
 * - B1 every counted answer is a success, and stands for one new row: rows = answers + what was under way at the end.
 * - B2 no round begins while the last one's aftermath (a relay that catches up) still uses the processor.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readTrees } from '../processor-time.ts';
import type { Generator, GeneratorOutcome } from './generator.ts';
import { writeRequests } from './requests.ts';
import type { Side } from './side.ts';

export type Workload = 'uniform' | 'hot';

export interface RoundSettings {
  readonly generator: Generator;
  readonly dir: string;
  readonly postgresPid: number;
  readonly connections: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
}

export interface RoundResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly answers: number;
  readonly rows: number;
  /** During the measured seconds, the aftermath included. */
  readonly cpuS: {
    readonly server: number;
    readonly postgres: number;
    readonly kafka: number;
    readonly generator: number;
  };
  /** How long the side worked on after the last answer. */
  readonly aftermathMs: number;
}

/** More requests than a side can answer: an empty file would spoil the round. */
const REQUESTS_SPARE = 1.5;
const REQUESTS_MIN_PER_SECOND = 4_000;
/** A first round does not know its side. */
const REQUESTS_GUESS_PER_SECOND = 30_000;
const QUIET_MS = 400;
const QUIET_CPU_SHARE = 0.12;
const AFTERMATH_MS_MAX = 60_000;

let roundNumber = 0;

/** Errors: a plain Error when B1 does not hold. */
export async function runRound(
  settings: RoundSettings,
  side: Side,
  workload: Workload,
  expectedPerSecond: number | null,
): Promise<RoundResult> {
  await untilQuiet(settings, side);
  if (settings.warmupSeconds > 0) await send(settings, side, workload, settings.warmupSeconds, expectedPerSecond);
  await untilQuiet(settings, side);
  const rowsBefore = await side.countRows();
  const before = readCpu(settings, side);
  const outcome = await send(settings, side, workload, settings.seconds, expectedPerSecond);
  const aftermathMs = await untilQuiet(settings, side);
  const after = readCpu(settings, side);
  const rows = (await side.countRows()) - rowsBefore;
  requireSound(side, outcome, rows);
  return {
    perSecond: outcome.answers / (outcome.elapsedMs / 1_000),
    p50Ms: outcome.p50Ms,
    p99Ms: outcome.p99Ms,
    answers: outcome.answers,
    rows,
    cpuS: {
      server: after.server - before.server,
      postgres: after.postgres - before.postgres,
      kafka: after.kafka - before.kafka,
      generator: outcome.cpuS,
    },
    aftermathMs,
  };
}

async function send(
  settings: RoundSettings,
  side: Side,
  workload: Workload,
  seconds: number,
  expectedPerSecond: number | null,
): Promise<GeneratorOutcome> {
  const { generator, dir, connections } = settings;
  const perSecond =
    expectedPerSecond === null
      ? REQUESTS_GUESS_PER_SECOND
      : Math.max(REQUESTS_MIN_PER_SECOND, expectedPerSecond * REQUESTS_SPARE);
  const path = join(dir, 'requests.http');
  const requests = writeRequests(path, {
    host: '127.0.0.1',
    port: side.port,
    signingKey: side.signingKey,
    caller: side.caller,
    walletIds: workload === 'hot' ? side.walletIds.slice(0, 1) : side.walletIds,
    count: Math.ceil(perSecond * seconds) + connections,
    keyPrefix: `r${roundNumber++}`,
  });
  try {
    const outcome = await generator.run(requests, { port: side.port, connections, seconds });
    if (outcome.handed > requests.count) throw new Error(`${side.name} was faster than the requests made for it`);
    return outcome;
  } finally {
    rmSync(path, { force: true });
  }
}

/** B1. */
function requireSound(side: Side, { answers, notOk, broken, handed }: GeneratorOutcome, rows: number): void {
  const faults: string[] = [];
  if (answers === 0) faults.push('nothing was answered');
  if (notOk > 0) faults.push(`${notOk} of ${answers} answers were no success`);
  if (broken > 0) faults.push(`${broken} answers did not come`);
  if (rows < answers) faults.push(`${answers} answers, but only ${rows} rows`);
  if (rows > handed) faults.push(`${handed} requests, but ${rows} rows`);
  if (faults.length > 0) throw new Error(`${side.name}: ${faults.join('; ')}`);
}

function readCpu({ postgresPid }: RoundSettings, side: Side): { server: number; postgres: number; kafka: number } {
  const kafkaPid = side.kafkaPid ?? 0;
  const uses = readTrees([side.pid, postgresPid, kafkaPid]);
  const of = (pid: number): number => uses.get(pid)?.cpuS ?? 0;
  return { server: of(side.pid), postgres: of(postgresPid), kafka: of(kafkaPid) };
}

/** B2. Returns how long it took. */
async function untilQuiet(settings: RoundSettings, side: Side): Promise<number> {
  const startedMs = performance.now();
  for (;;) {
    const before = sum(readCpu(settings, side));
    await delay(QUIET_MS);
    const share = (sum(readCpu(settings, side)) - before) / (QUIET_MS / 1_000);
    const elapsedMs = performance.now() - startedMs;
    if (share <= QUIET_CPU_SHARE) return Math.max(0, elapsedMs - QUIET_MS);
    if (elapsedMs > AFTERMATH_MS_MAX) throw new Error(`${side.name} does not come to rest after a round`);
  }
}

function sum(use: { server: number; postgres: number; kafka: number }): number {
  return use.server + use.postgres + use.kafka;
}
