/** A real Postgres of its own for a test file: started here, migrated, ended with it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePorts, type PostgresServer, startPostgres } from '@local-plus/deploy';
import postgres from 'postgres';
import { createDatabase, type Database, type DatabaseOptions } from '../platform/postgres/index.ts';
import { createLog } from '../platform/telemetry/index.ts';

export interface TestDatabase {
  readonly url: string;
  readonly sql: postgres.Sql;
  readonly server: PostgresServer;
  /** One more pool, as a module is given it: two connections, unless the test needs more; closed with the database. */
  pool(bounds?: Partial<DatabaseOptions>): Database;
  close(): Promise<void>;
}

const poolDefaults = {
  name: 'test',
  connectionsMax: 2,
  connectMs: 3_000,
  statementMs: 5_000,
  statementGraceMs: 2_000,
  log: createLog('silent'),
};

const migrations = new URL('../migrations/', import.meta.url);

export async function startDatabase(): Promise<TestDatabase> {
  const dir = mkdtempSync(path.join(tmpdir(), 'local-plus-test-'));
  const [port] = await freePorts(1);
  const server = await startPostgres({ dataDir: path.join(dir, 'postgres'), port: port as number });
  const sql = postgres(server.url, { max: 2, onnotice: () => undefined });
  for (const file of (await readdir(migrations)).sort()) {
    await sql.unsafe(await readFile(new URL(file, migrations), 'utf8'));
  }
  const pools: Database[] = [];
  return {
    url: server.url,
    sql,
    server,
    pool: (bounds = {}) => {
      const pool = createDatabase({ ...poolDefaults, url: server.url, ...bounds });
      pools.push(pool);
      return pool;
    },
    close: async () => {
      await Promise.all(pools.map((pool) => pool.close(1_000)));
      await sql.end({ timeout: 1 });
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
