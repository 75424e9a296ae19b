/**
 * The limit: `pgbench` (of Debian's postgresql-contrib) inserting the same row into the same tables, batch by batch, the rows made
 * by the server itself. What is left between this and ours is the price of deciding, and of the way to Postgres.
 *
 * The row is whole: dense versions, a balance that is the sum of its rows, a key of its own. One row is updated with every
 * batch, as ours updates its fence.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import postgres from 'postgres';
import type { Outcome, OwnSide, Surroundings, Workload } from '../side.ts';
import { auditLedger, countBusy, countTransactions } from './audits.ts';
import { migrateDatabase } from './in-process.ts';
import { batchStatement } from './pgbench-script.ts';

/** Two, as ours has two batches in the air: the second waits for the first one's row. */
const CLIENTS = 2;
/** While nobody has said what batches ours takes. */
const BATCH_ROWS_DEFAULT = 128;
const EXTRA_MS = 30_000;

export interface PgbenchSide extends OwnSide {
  /** The same batches as ours took under this workload. */
  setBatchRows(workload: Workload, rows: number): void;
  batchRows(workload: Workload): number;
}

/** null: pgbench is not on PATH. */
export async function startPgbench(surroundings: Surroundings, postgresPid: number): Promise<PgbenchSide | null> {
  if (!(await isThere())) return null;
  const url = await surroundings.createDatabase('pgbench');
  await migrateDatabase(surroundings, url, 'pgbench');
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  await sql.unsafe(`
    create table lanes (lane int primary key, done bigint not null) with (fillfactor = 10);
    insert into lanes (lane, done) values (0, 0), (1, 0)`);
  const dir = join(surroundings.dir, 'pgbench');
  mkdirSync(dir, { recursive: true });
  const batchRows = new Map<Workload, number>();
  let batchesDone = 0;
  const rowsOf = (workload: Workload): number => batchRows.get(workload) ?? BATCH_ROWS_DEFAULT;
  return {
    kind: 'own',
    name: 'pgbench',
    // It has no server but Postgres; its own use of the processor is the generator's.
    pid: postgresPid,
    brokerPid: null,
    countRows: () => countTransactions(sql),
    countBusy: () => countBusy(sql),
    countBatches: async () => batchesDone,
    audit: () => auditLedger(sql),
    setBatchRows: (workload, rows) => void batchRows.set(workload, Math.max(1, Math.round(rows))),
    batchRows: rowsOf,
    async drive(workload, seconds) {
      const rows = rowsOf(workload);
      const script = join(dir, `${workload}.sql`);
      const lane = workload === 'hot' ? 0 : 1;
      writeFileSync(script, batchStatement({ lane, rows, wallets: workload === 'hot' ? 1 : surroundings.walletCount }));
      const { batches, outcome } = await run(new URL(url), script, seconds, rows);
      batchesDone += batches;
      return outcome;
    },
    stop: () => sql.end({ timeout: 5 }),
  };
}

async function isThere(): Promise<boolean> {
  const child = spawn('pgbench', ['--version'], { stdio: 'ignore' });
  return await new Promise((resolve) => {
    child.once('error', () => resolve(false));
    child.once('exit', () => resolve(true));
  });
}

async function run(
  url: URL,
  script: string,
  seconds: number,
  rows: number,
): Promise<{ batches: number; outcome: Outcome }> {
  const args = ['-n', '-M', 'prepared', '-c', String(CLIENTS), '-j', '1', '-T', String(seconds), '-f', script];
  const child = spawn(
    'pgbench',
    [...args, '-h', url.hostname, '-p', url.port, '-U', url.username, url.pathname.slice(1)],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        PGPASSWORD: decodeURIComponent(url.password),
        PGOPTIONS: '-c jit=off -c enable_seqscan=off',
      },
      timeout: seconds * 1_000 + EXTRA_MS,
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`pgbench ended with code ${code}: ${output}`);
  const { batches, perSecond, latencyMs } = readOutput(output);
  // Every row waits for its batch; pgbench says no percentiles without a log of each.
  const latency = { p50Ms: latencyMs, p99Ms: Number.NaN, maxMs: Number.NaN };
  const answers = batches * rows;
  const elapsedMs = (batches / perSecond) * 1_000;
  return { batches, outcome: { answers, notOk: 0, broken: 0, handed: answers, elapsedMs, ...latency, cpuS: 0 } };
}

export function readOutput(output: string): { batches: number; perSecond: number; latencyMs: number } {
  const number = (pattern: RegExp): number => {
    const found = pattern.exec(output)?.[1];
    if (found === undefined) throw new Error(`pgbench said nothing of ${pattern}: ${output}`);
    return Number(found);
  };
  const failed = number(/number of failed transactions: (\d+)/);
  if (failed > 0) throw new Error(`${failed} batches of pgbench failed: ${output}`);
  return {
    batches: number(/number of transactions actually processed: (\d+)/),
    perSecond: number(/tps = ([\d.]+) \(without/),
    latencyMs: number(/latency average = ([\d.]+) ms/),
  };
}
