/** A real Postgres of its own for a test file: started here, migrated, ended with it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePorts, type PostgresServer, startPostgres } from '@local-plus/deploy';
import postgres from 'postgres';

export interface TestDatabase {
  readonly url: string;
  readonly sql: postgres.Sql;
  readonly server: PostgresServer;
  close(): Promise<void>;
}

const migrations = new URL('../migrations/', import.meta.url);

export async function startDatabase(): Promise<TestDatabase> {
  const dir = mkdtempSync(path.join(tmpdir(), 'local-plus-test-'));
  const [port] = await freePorts(1);
  const server = await startPostgres({ dataDir: path.join(dir, 'postgres'), port: port as number });
  const sql = postgres(server.url, { max: 2, onnotice: () => undefined });
  for (const file of (await readdir(migrations)).sort()) {
    await sql.unsafe(await readFile(new URL(file, migrations), 'utf8'));
  }
  return {
    url: server.url,
    sql,
    server,
    close: async () => {
      await sql.end({ timeout: 1 });
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
