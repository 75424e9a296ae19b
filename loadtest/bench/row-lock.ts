/** The row-locking side: its schema, its wallets, its server as a child process, one per size of the pool. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseSigningKeys, uuidV7 } from '@local-plus/contracts';
import { freePorts } from '@local-plus/deploy';
import postgres from 'postgres';
import type { Side, Surroundings } from './side.ts';

const READY_MS = 10_000;
/** Anybody's: this side checks no signature. */
const [noKey] = parseSigningKeys(`k1:${'A'.repeat(43)}`);

export interface RowLockDatabase {
  readonly url: string;
  readonly walletIds: readonly string[];
}

export async function createRowLockDatabase(surroundings: Surroundings): Promise<RowLockDatabase> {
  const url = await surroundings.createDatabase('row_lock');
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    await sql.unsafe(readFileSync(new URL('row-lock.sql', import.meta.url), 'utf8'));
    const walletIds = Array.from({ length: surroundings.walletCount }, () => uuidV7<string>(Date.now()));
    const programId = uuidV7<string>(Date.now());
    await sql`insert into accounts (id, program_id) select id, ${programId} from unnest(${walletIds}::uuid[]) as id`;
    await sql`analyze accounts`;
    return { url, walletIds };
  } finally {
    await sql.end({ timeout: 5 });
  }
}

export async function startRowLock(surroundings: Surroundings, database: RowLockDatabase, pool: number): Promise<Side> {
  const [port = 0] = await freePorts(1);
  const dir = join(surroundings.dir, 'row-lock');
  mkdirSync(dir, { recursive: true });
  const output = openSync(join(dir, `pool-${pool}.log`), 'a');
  const child = spawn(process.execPath, [fileURLToPath(new URL('row-lock-server.ts', import.meta.url))], {
    stdio: ['ignore', output, output],
    env: { ...process.env, DATABASE_URL: database.url, PORT: String(port), POOL: String(pool) },
  });
  closeSync(output);
  const exited = once(child, 'exit');
  await untilReady(port, () => child.exitCode !== null);
  const sql = postgres(database.url, { max: 1, onnotice: () => undefined });
  return {
    name: 'row lock',
    port,
    caller: { type: 'merchant', merchantId: uuidV7(Date.now()) },
    signingKey: noKey,
    walletIds: database.walletIds,
    pid: child.pid as number,
    kafkaPid: null,
    async countRows() {
      const [row] = await sql<{ count: number }[]>`select count(*)::int as count from transactions`;
      return row?.count ?? 0;
    },
    async stop() {
      await sql.end({ timeout: 5 });
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function untilReady(port: number, hasEnded: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + READY_MS;
  for (;;) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(READY_MS) });
      await response.arrayBuffer();
      return;
    } catch (cause) {
      if (hasEnded() || performance.now() > deadlineMs) {
        throw new Error('the row-locking server did not start', { cause });
      }
      await delay(50);
    }
  }
}
