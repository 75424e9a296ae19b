/**
 * The simulator at the command line.
 *
 *     npm run sim -- --seeds 1000             seeds 1 … 1,000; ends at the first that fails, and shrinks it
 *     npm run sim -- --from 5001 --jobs 2     from another seed on, in two threads
 *     npm run sim -- --seed 42                this one, with everything that happens in it; shrunk if it fails
 *     npm run sim -- --seed 42 --operations 12 --accounts 1 --without kill,pause
 *
 * Exit code 1: a history failed, or a run of 1,000 seeds and more never met something that it should.
 */
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { COVERING_SEEDS, emptyTally, everything, merge, runSeeds, type Seeds, type Tally, unmet } from './campaign.ts';
import { simulate } from './history.ts';
import { type FaultKind, faultKinds, OPERATIONS_DEFAULT, type PlanChanges, planOf } from './plan.ts';
import { Shrinker } from './shrink.ts';

/** So many seeds go to a thread at a time: a failure is heard of soon. */
const SLICE = 250;
const TRACE_LINES_MAX = 400;

interface Asked {
  readonly seeds: number;
  readonly from: number;
  readonly seed: number | null;
  readonly jobs: number;
  readonly shrink: boolean;
  readonly changes: PlanChanges;
}

const print = (line: string): void => console.log(line);

function asked(args: readonly string[]): Asked {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: text,
      from: text,
      seed: text,
      jobs: text,
      operations: text,
      accounts: text,
      without: { type: 'string' },
      'no-shrink': { type: 'boolean' },
    },
  });
  const without = values.without?.split(',').map(faultFrom);
  return {
    seeds: integer('seeds', values.seeds) ?? 1_000,
    from: integer('from', values.from) ?? 1,
    seed: integer('seed', values.seed),
    jobs: integer('jobs', values.jobs) ?? 1,
    shrink: values['no-shrink'] !== true,
    changes: {
      operations: integer('operations', values.operations) ?? OPERATIONS_DEFAULT,
      ...(values.accounts !== undefined && { accounts: integer('accounts', values.accounts) ?? 1 }),
      ...(without !== undefined && { without }),
    },
  };
}

function integer(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new RangeError(`--${name} takes a number from 1 on, not ${text}`);
  return value;
}

function faultFrom(text: string): FaultKind {
  const kind = faultKinds.find((known) => known === text.trim());
  if (kind === undefined) throw new RangeError(`--without knows ${faultKinds.join(', ')}; not ${text}`);
  return kind;
}

/** One history, told. */
async function replay(seed: number, changes: PlanChanges, linesMax: number): Promise<string | null> {
  const trace: string[] = [];
  const { violation } = await simulate(planOf(seed, changes), trace);
  const left = trace.length - linesMax;
  if (left > 0) print(`(${left} lines before)`);
  for (const line of trace.slice(-linesMax)) print(line);
  return violation;
}

async function shrinkAndTell(seed: number, changes: PlanChanges): Promise<void> {
  const { changes: smaller, report, tries } = await new Shrinker(await simulate(planOf(seed, changes))).shrink();
  const without = smaller.without?.join(',') ?? '';
  print(`shrunk in ${tries} tries to:`);
  await replay(seed, smaller, TRACE_LINES_MAX);
  print(`${report.violation}`);
  const faults = without === '' ? '' : ` --without "${without}"`;
  print(
    `npm run sim -- --seed ${seed} --operations ${smaller.operations} --accounts ${smaller.accounts}${faults} --no-shrink`,
  );
}

/** Seeds in slices over the threads; each takes the next one when it is done. */
async function runAll({ seeds, from, jobs, changes }: Asked, heard: (tally: Tally) => void): Promise<Tally> {
  const total = emptyTally();
  if (jobs === 1) {
    return runSeeds({ from, count: seeds, step: 1 }, changes, (tally) => {
      heard(tally);
      return true;
    });
  }
  let next = 0;
  const job = async (): Promise<void> => {
    while (next < seeds && total.failure === null) {
      const slice: Seeds = { from: from + next, count: Math.min(SLICE, seeds - next), step: 1 };
      next += slice.count;
      merge(total, await inThread(slice, changes));
      heard(total);
    }
  };
  await Promise.all(Array.from({ length: jobs }, job));
  return total;
}

function inThread(seeds: Seeds, changes: PlanChanges): Promise<Tally> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { seeds, changes } });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

function tell(tally: Tally, seconds: number): void {
  const perSecond = (count: number) => Math.round(count / seconds).toLocaleString('en');
  print(
    `${tally.seeds} seeds in ${seconds.toFixed(1)} s: ${perSecond(tally.seeds)} seeds/s, ` +
      `${perSecond(tally.operations)} operations/s, ${perSecond(tally.happenings)} events/s; ` +
      `${tally.operations} operations, ${tally.postings} postings, ${tally.reads} reads`,
  );
  print(everything.map((what) => `${what} ${tally.met[what] ?? 0}`).join(', '));
}

async function main(): Promise<void> {
  const request = asked(process.argv.slice(2));
  if (request.seed !== null) {
    const violation = await replay(request.seed, request.changes, Number.POSITIVE_INFINITY);
    print(violation ?? `seed ${request.seed}: everything holds`);
    if (violation === null) return;
    process.exitCode = 1;
    if (request.shrink) await shrinkAndTell(request.seed, request.changes);
    return;
  }
  // Stacks of failures that are part of the play are costly, and nobody reads them.
  Error.stackTraceLimit = 0;
  const startedMs = performance.now();
  let toldMs = startedMs;
  const tally = await runAll(request, ({ seeds }) => {
    if (performance.now() - toldMs < 10_000) return;
    toldMs = performance.now();
    print(`${seeds} seeds …`);
  });
  tell(tally, (performance.now() - startedMs) / 1_000);
  if (tally.failure !== null) {
    const { seed, violation } = tally.failure;
    process.exitCode = 1;
    print(`seed ${seed} failed: ${violation}`);
    if (request.shrink) await shrinkAndTell(seed, request.changes);
    return;
  }
  const missed = unmet(tally);
  if (missed.length === 0) return;
  print(`never met: ${missed.join(', ')}`);
  if (tally.seeds >= COVERING_SEEDS) process.exitCode = 1;
}

if (isMainThread) {
  await main();
} else {
  const { seeds, changes } = workerData as { seeds: Seeds; changes: PlanChanges };
  Error.stackTraceLimit = 0;
  parentPort?.postMessage(await runSeeds(seeds, changes));
}
