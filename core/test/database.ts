/** A real Postgres of its own for a test file: started here, migrated, ended with it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePorts, type PostgresServer, startPostgres } from '@local-plus/deploy';
import type postgres from 'postgres';
import type { Database, DatabaseOptions } from '../platform/postgres/index.ts';
import { Connections } from './connections.ts';

export interface TestDatabase {
  readonly url: string;
  readonly sql: postgres.Sql;
  readonly server: PostgresServer;
  /** One more pool, as a module is given it: two connections, unless the test needs more; closed with the database. */
  pool(bounds?: Partial<DatabaseOptions>): Database;
  close(): Promise<void>;
}

const migrations = new URL('../migrations/', import.meta.url);

export async function startDatabase(): Promise<TestDatabase> {
  const dir = mkdtempSync(path.join(tmpdir(), 'local-plus-test-'));
  const [port] = await freePorts(1);
  const server = await startPostgres({ dataDir: path.join(dir, 'postgres'), port: port as number });
  const connections = new Connections(server.url);
  const sql = connections.sql(2);
  for (const file of (await readdir(migrations)).sort()) {
    await sql.unsafe(await readFile(new URL(file, migrations), 'utf8'));
  }
  return {
    url: server.url,
    sql,
    server,
    pool: (bounds) => connections.pool(bounds),
    close: async () => {
      await connections.close();
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
