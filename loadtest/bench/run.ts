/**
 * `npm run bench [-- --rounds 3] [--seconds 5] [--sides ours,ours-relay,row-lock] [--generator cheapest|wrk|own] [--name N]`
 *
 * Durable earns per second, straight to the server: ours against what people would build instead, on one Postgres of
 * its own (fsync on), in one interleaved run, so that a machine that gets slower gets slower for all.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePorts, type PostgresServer, startPostgres } from '@local-plus/deploy';
import postgres from 'postgres';
import { LoadError, printFailure } from '../stack.ts';
import { repositoryDir } from '../stack-process.ts';
import { formatNumber } from '../table.ts';
import { chooseGenerator } from './generator.ts';
import { startOurs } from './ours.ts';
import { machineFacts, printReport, type Series, writeReport } from './results.ts';
import { type RoundResult, type RoundSettings, runRound, type Workload } from './round.ts';
import { createRowLockDatabase, startRowLock } from './row-lock.ts';
import type { Side, Surroundings } from './side.ts';

const workloads: readonly Workload[] = ['uniform', 'hot'];
const pools = [8, 16, 32, 64] as const;
const POOL_TRIAL_SECONDS = 3;
/** More than any of them reaches. */
const POOL_TRIAL_PER_SECOND = 5_000;

const sideNames = ['ours', 'ours-relay', 'row-lock'] as const;
type SideName = (typeof sideNames)[number];

interface Arguments {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly connections: number;
  readonly walletCount: number;
  readonly sides: readonly SideName[];
  readonly generator: 'wrk' | 'own' | 'cheapest';
  readonly name: string;
}

/** A side as it runs under one workload: the row lock uses the pool that suits it best. */
interface Contestant {
  readonly workload: Workload;
  readonly side: Side;
  /** Before its first round; null: nobody knows. */
  readonly expectedPerSecond: number | null;
  readonly rounds: RoundResult[];
}

/** Whatever was started, in order; stopped in the opposite order, also on Ctrl-C. */
const started: { stop(): Promise<void> }[] = [];

async function main(): Promise<void> {
  const args = readArguments();
  const startedAt = new Date().toISOString();
  const dir = join(repositoryDir, '.local', 'bench', startedAt.replace(/[-:]|\.\d+Z$/g, ''));
  mkdirSync(dir, { recursive: true });
  const [port = 0] = await freePorts(1);
  const server = await startPostgres({ dataDir: join(dir, 'postgres'), port });
  started.push(server);
  const generator = await chooseGenerator(args.generator);
  const settings: RoundSettings = {
    generator,
    dir,
    postgresPid: server.pid ?? 0,
    connections: args.connections,
    seconds: args.seconds,
    warmupSeconds: args.warmupSeconds,
  };
  const notes = [
    `Generator: ${generator.name}, ${args.connections} connections, closed loop, requests made and signed beforehand.`,
    'The row-locking side checks no signature and publishes nothing: both are in its favour.',
  ];
  const contestants = await startContestants(args, surroundingsOf(server, dir, args), settings, notes);
  await interleave(args.rounds, contestants, settings);
  const report = {
    name: args.name,
    startedAt,
    machine: machineFacts(await versionOf(server)),
    settings: { rounds: args.rounds, seconds: args.seconds, connections: args.connections, wallets: args.walletCount },
    series: contestants.map(({ workload, side, rounds }): Series => ({ side: side.name, workload, rounds })),
    notes,
  };
  printReport(report);
  console.log(`Written to ${writeReport(join(repositoryDir, 'loadtest', 'results'), report)}`);
  await stopAll();
  rmSync(dir, { recursive: true, force: true });
}

/** A B C A B C …, the order turned by one each round, so that nobody always follows the same neighbour. */
async function interleave(count: number, contestants: Contestant[], settings: RoundSettings): Promise<void> {
  for (let number = 0; number < count; number++) {
    const turn = number % contestants.length;
    for (const contestant of [...contestants.slice(turn), ...contestants.slice(0, turn)]) {
      const { side, workload, rounds } = contestant;
      const expected = rounds.at(-1)?.perSecond ?? contestant.expectedPerSecond;
      const result = await runRound(settings, side, workload, expected);
      rounds.push(result);
      console.log(`round ${number + 1}  ${side.name}, ${workload}: ${formatNumber(result.perSecond)}/s`);
    }
  }
}

async function startContestants(
  args: Arguments,
  surroundings: Surroundings,
  settings: RoundSettings,
  notes: string[],
): Promise<Contestant[]> {
  const contestants: Contestant[] = [];
  for (const name of args.sides) {
    if (name === 'row-lock') {
      const best = await bestPools(surroundings, settings, notes);
      for (const workload of workloads) contestants.push({ workload, ...best[workload], rounds: [] });
      continue;
    }
    const side = await startOurs(surroundings, name === 'ours-relay');
    started.push(side);
    for (const workload of workloads) contestants.push({ workload, side, expectedPerSecond: null, rounds: [] });
  }
  return contestants;
}

/** Every size of the pool under both workloads, one after the other; the best for each is what is compared. */
async function bestPools(
  surroundings: Surroundings,
  settings: RoundSettings,
  notes: string[],
): Promise<Record<Workload, { side: Side; expectedPerSecond: number }>> {
  const database = await createRowLockDatabase(surroundings);
  const trial = { ...settings, seconds: POOL_TRIAL_SECONDS, warmupSeconds: 1 };
  const rates: { pool: number; workload: Workload; perSecond: number }[] = [];
  for (const pool of pools) {
    const side = await startRowLock(surroundings, database, pool);
    started.push(side);
    for (const workload of workloads) {
      const { perSecond } = await runRound(trial, side, workload, POOL_TRIAL_PER_SECOND);
      rates.push({ pool, workload, perSecond });
      console.log(`row lock, ${pool} connections to Postgres, ${workload}: ${formatNumber(perSecond)}/s`);
    }
    await side.stop();
    started.splice(started.indexOf(side), 1);
  }
  const servers = new Map<number, Side>();
  const best = async (workload: Workload): Promise<{ side: Side; expectedPerSecond: number }> => {
    const ranked = rates.filter((rate) => rate.workload === workload).sort((a, b) => b.perSecond - a.perSecond);
    const { pool, perSecond } = ranked[0] ?? { pool: pools[0], perSecond: 0 };
    const all = ranked.map((rate) => `${rate.pool}: ${formatNumber(rate.perSecond)}/s`).join(', ');
    notes.push(`Row lock, ${workload}: ${pool} connections to Postgres, the best of ${all}.`);
    const side = servers.get(pool) ?? (await startRowLock(surroundings, database, pool));
    if (!servers.has(pool)) started.push(side);
    servers.set(pool, side);
    return { side, expectedPerSecond: perSecond };
  };
  return { uniform: await best('uniform'), hot: await best('hot') };
}

function surroundingsOf(server: PostgresServer, dir: string, args: Arguments): Surroundings {
  return {
    dir,
    walletCount: args.walletCount,
    log: console.log,
    async createDatabase(name) {
      const sql = postgres(server.url, { max: 1, onnotice: () => undefined });
      try {
        await sql`create database ${sql(name)}`;
      } finally {
        await sql.end({ timeout: 5 });
      }
      const url = new URL(server.url);
      url.pathname = `/${name}`;
      return url.toString();
    },
  };
}

async function versionOf(server: PostgresServer): Promise<string> {
  const sql = postgres(server.url, { max: 1, onnotice: () => undefined });
  try {
    const [row] = await sql<{ version: string; fsync: string; commit: string; wal: string }[]>`
      select current_setting('server_version') as version, current_setting('fsync') as fsync,
             current_setting('synchronous_commit') as commit, current_setting('max_wal_size') as wal`;
    return `${row?.version}, fsync ${row?.fsync}, synchronous_commit ${row?.commit}, max_wal_size ${row?.wal}`;
  } finally {
    await sql.end({ timeout: 5 });
  }
}

async function stopAll(): Promise<void> {
  for (let part = started.pop(); part !== undefined; part = started.pop()) await part.stop();
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
      warmup: { type: 'string', default: '2' },
      connections: { type: 'string', default: '256' },
      wallets: { type: 'string', default: '10000' },
      sides: { type: 'string', default: sideNames.join(',') },
      generator: { type: 'string', default: 'cheapest' },
      name: { type: 'string', default: 'earns' },
    },
  });
  const sides = values.sides.split(',').map((text) => sideNames.find((name) => name === text));
  if (sides.includes(undefined)) throw new LoadError(`--sides are any of ${sideNames.join(', ')}, with commas.`);
  const generator = (['cheapest', 'wrk', 'own'] as const).find((name) => name === values.generator);
  if (generator === undefined) throw new LoadError('--generator is cheapest, wrk or own.');
  if (!/^[a-z0-9-]{1,40}$/.test(values.name)) throw new LoadError('--name is 1 to 40 of a-z, 0-9 and -.');
  return {
    rounds: whole('--rounds', values.rounds),
    seconds: whole('--seconds', values.seconds),
    warmupSeconds: whole('--warmup', values.warmup),
    connections: whole('--connections', values.connections),
    walletCount: whole('--wallets', values.wallets),
    sides: sides as SideName[],
    generator,
    name: values.name,
  };
}

function whole(flag: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= 1_000_000) return value;
  throw new LoadError(`${flag} must be a positive whole number, not "${text}".`);
}

/** Stops what was started, whatever happened, and keeps the first failure. */
async function finish(failure: unknown): Promise<void> {
  printFailure(failure);
  process.exitCode = 1;
  await stopAll();
}

process.once('SIGINT', () => {
  void finish(new LoadError('Interrupted.')).then(
    () => process.exit(130),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
main().catch(finish);
