/**
 * One round of one side: requests made and signed, a short warm-up, the measured seconds, then the count of rows.
 *
 * - B1 every counted answer is a success, and stands for its rows: what was answered is there, and nothing is there that
 *   was not asked for.
 * - B2 no round begins while the last one's aftermath (a relay that catches up) still uses the processor.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readTrees } from '../processor-time.ts';
import { formatNumber } from '../table.ts';
import type { Generator } from './load/generator.ts';
import { type RequestPlan, writeRequests } from './load/requests.ts';
import { earnsPerRequest, rowsOf, type Shape, single } from './load/shape.ts';
import type { HttpSide, Outcome, Side, Workload } from './side.ts';

export interface RoundSettings {
  readonly generator: Generator;
  readonly dir: string;
  readonly postgresPid: number;
  readonly connections: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  /** Of one processor, by which a side still rests: a profiler samples at rest too. {@link QUIET_CPU_SHARE} unless told. */
  readonly quietCpuShare?: number;
}

export interface RoundPlan {
  readonly workload: Workload;
  readonly shape: Shape;
  /** Answers a second that are expected; null: nobody knows. */
  readonly expectedPerSecond: number | null;
}

export interface CpuUse {
  readonly server: number;
  readonly postgres: number;
  readonly broker: number;
  readonly generator: number;
}

export interface RoundResult {
  /** Earns, not requests: the lines of a bulk request count. */
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly answers: number;
  /** Answers that were refusals, where the side's design has them. */
  readonly refused: number;
  /** Rows that were added; of a side without a ledger, its answers. */
  readonly rows: number;
  /** Rows of one statement, on average; null: it has no batches. */
  readonly batchRows: number | null;
  /** Processor seconds during the measured ones, the aftermath included. */
  readonly cpuS: CpuUse;
  /** How long the side worked on after the last answer. */
  readonly aftermathMs: number;
}

/** More requests than a side can answer, on a machine that may be twice as fast a minute later: an empty file spoils the run. */
const REQUESTS_SPARE = 3;
const REQUESTS_MIN_PER_SECOND = 4_000;
/** A first round does not know its side. */
const REQUESTS_GUESS_PER_SECOND = 150_000;
const QUIET_MS = 400;
const QUIET_LOOKS = 5;
const QUIET_CPU_SHARE = 0.12;
/** Who uses every wallet once does so in rounds of so many seconds. */
const TOUR_S = 5;
const TOUR_ROUNDS_MAX = 100;
const AFTERMATH_MS_MAX = 60_000;

let roundNumber = 0;
/** Of each side: the wallet whose turn it is. */
const turns = new WeakMap<HttpSide, number>();

export const uniformSingles: RoundPlan = { workload: 'uniform', shape: single, expectedPerSecond: null };

/** Errors: a plain Error when B1 does not hold. */
export async function runRound(settings: RoundSettings, side: Side, plan: RoundPlan): Promise<RoundResult> {
  const { seconds, warmupSeconds } = settings;
  await untilQuiet(settings, side);
  if (warmupSeconds > 0) await load({ ...settings, seconds: warmupSeconds }, side, plan);
  await untilQuiet(settings, side);
  const rowsBefore = (await side.countRows?.()) ?? 0;
  const batchesBefore = (await side.countBatches?.()) ?? 0;
  const before = readCpu(settings, side);
  const outcome = await load({ ...settings, seconds }, side, plan);
  const aftermathMs = await untilQuiet(settings, side);
  const after = readCpu(settings, side);
  const ok = outcome.answers - outcome.notOk;
  const rows = side.countRows === null ? ok : (await side.countRows()) - rowsBefore;
  const batches = ((await side.countBatches?.()) ?? 0) - batchesBefore;
  requireSound(side, plan.shape, outcome, side.countRows === null ? null : rows);
  return {
    perSecond: (ok * earnsPerRequest(plan.shape)) / (outcome.elapsedMs / 1_000),
    p50Ms: outcome.p50Ms,
    p99Ms: outcome.p99Ms,
    answers: outcome.answers,
    refused: outcome.notOk,
    rows,
    batchRows: batches === 0 ? null : rows / batches,
    cpuS: {
      server: after.server - before.server,
      postgres: after.postgres - before.postgres,
      broker: after.broker - before.broker,
      generator: outcome.cpuS,
    },
    aftermathMs,
  };
}

async function load(settings: RoundSettings, side: Side, plan: RoundPlan): Promise<Outcome> {
  return side.kind === 'own' ? await side.drive(plan.workload, settings.seconds) : await send(settings, side, plan);
}

async function send(settings: RoundSettings, side: HttpSide, plan: RoundPlan): Promise<Outcome> {
  const { generator, dir, connections, seconds } = settings;
  const { expectedPerSecond, shape } = plan;
  const least = Math.ceil(REQUESTS_MIN_PER_SECOND / earnsPerRequest(shape));
  const perSecond =
    expectedPerSecond === null
      ? Math.ceil(REQUESTS_GUESS_PER_SECOND / earnsPerRequest(shape))
      : Math.max(least, expectedPerSecond * REQUESTS_SPARE);
  const path = join(dir, 'requests.http');
  const count = Math.ceil(perSecond * seconds) + connections;
  const requests = writeRequests(path, requestPlan(side, plan.workload, shape, count));
  try {
    const outcome = await generator.run(requests, { port: side.port, connections, seconds });
    turns.set(side, (turns.get(side) ?? 0) + outcome.handed * earnsPerRequest(shape));
    if (outcome.handed > requests.count) throw new Error(`${side.name} was faster than the requests made for it`);
    return outcome;
  } finally {
    rmSync(path, { force: true });
  }
}

/** Every wallet once, so that what the rounds measure is not who is met for the first time. */
export async function useEveryWallet(settings: RoundSettings, side: HttpSide): Promise<void> {
  const { length } = side.walletIds;
  let expectedPerSecond: number | null = null;
  for (let used = 0, round = 1; used < length; round++) {
    if (round > TOUR_ROUNDS_MAX)
      throw new Error(`${side.name} used ${used} of ${length} wallets in ${round - 1} rounds`);
    const plan = { ...uniformSingles, expectedPerSecond };
    const { answers, perSecond } = await runRound({ ...settings, seconds: TOUR_S, warmupSeconds: 0 }, side, plan);
    expectedPerSecond = perSecond;
    used += answers;
  }
  console.log(`${side.name}: each of ${formatNumber(length)} wallets was used`);
}

/** Requests with keys that nobody has used yet. */
export function requestPlan(side: HttpSide, workload: Workload, shape: Shape, count: number): RequestPlan {
  return {
    host: '127.0.0.1',
    port: side.port,
    signingKey: side.signingKey,
    caller: side.caller,
    walletIds: workload === 'hot' ? side.walletIds.slice(0, 1) : side.walletIds,
    firstWallet: turns.get(side) ?? 0,
    count,
    shape,
    keyPrefix: `r${roundNumber++}`,
  };
}

/** B1. */
function requireSound(side: Side, shape: Shape, outcome: Outcome, rows: number | null): void {
  const faults = soundnessFaults(shape, outcome, rows, side.kind === 'http' && side.mayRefuse);
  if (faults.length > 0) throw new Error(`${side.name}: ${faults.join('; ')}`);
}

/** What contradicts B1, in words. @param rows null: the side keeps none */
export function soundnessFaults(shape: Shape, outcome: Outcome, rows: number | null, mayRefuse: boolean): string[] {
  const { answers, notOk, broken, handed } = outcome;
  const faults: string[] = [];
  const ok = answers - notOk;
  if (ok === 0) faults.push('nothing was answered');
  if (notOk > 0 && !mayRefuse) faults.push(`${notOk} of ${answers} answers were no success`);
  if (broken > 0) faults.push(`${broken} answers did not come`);
  if (rows === null) return faults;
  const most = rowsOf(shape, handed);
  // Of what was not answered with a success nobody knows; each may have made its rows or not.
  const least = most - (handed - ok) * earnsPerRequest(shape);
  if (rows < least) faults.push(`${ok} answers, but only ${rows} rows`);
  if (rows > most) faults.push(`${handed} requests, but ${rows} rows`);
  return faults;
}

/** B1 where what was not answered may have been done. `unknown` requests have no answer that tells. */
export function requireRows(side: Side, rows: number, ok: number, unknown: number): void {
  if (rows < ok || rows > ok + unknown) throw new Error(`${side.name}: ${ok} answers of success, but ${rows} rows`);
}

function readCpu({ postgresPid }: RoundSettings, side: Side): Omit<CpuUse, 'generator'> {
  const brokerPid = side.brokerPid ?? 0;
  const uses = readTrees([side.pid, postgresPid, brokerPid]);
  const of = (pid: number): number => uses.get(pid)?.cpuS ?? 0;
  return { server: side.pid === postgresPid ? 0 : of(side.pid), postgres: of(postgresPid), broker: of(brokerPid) };
}

/** B2: the processor rests, and nobody is in a statement at any of several looks. Returns how long it took. */
export async function untilQuiet(settings: RoundSettings, side: Side): Promise<number> {
  const { quietCpuShare = QUIET_CPU_SHARE } = settings;
  const startedMs = performance.now();
  for (;;) {
    const before = sum(readCpu(settings, side));
    const windowMs = performance.now();
    let busy = 0;
    for (let look = 0; look < QUIET_LOOKS; look++) {
      await delay(QUIET_MS / QUIET_LOOKS);
      busy += (await side.countBusy?.()) ?? 0;
    }
    const nowMs = performance.now();
    const share = (sum(readCpu(settings, side)) - before) / ((nowMs - windowMs) / 1_000);
    if (share <= quietCpuShare && busy === 0) return Math.max(0, windowMs - startedMs);
    if (nowMs - startedMs > AFTERMATH_MS_MAX) throw new Error(`${side.name} does not come to rest after a round`);
  }
}

function sum(use: Omit<CpuUse, 'generator'>): number {
  return use.server + use.postgres + use.broker;
}
