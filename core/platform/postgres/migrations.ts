/**
 * Brings the schema to the newest migration of a folder, by postgrator.
 *
 * - M1 one at a time: an advisory lock of the transaction; whoever comes second finds everything done.
 * - M2 all or nothing: every pending migration and its record are one transaction, on one connection that is never
 *   quietly replaced. (So a migration cannot contain what Postgres refuses inside a transaction.)
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import Postgrator from 'postgrator';
import postgres from 'postgres';

export interface MigrationReport {
  /** Where it stands now. */
  readonly version: number;
  /** File names of what was applied, in order. */
  readonly applied: readonly string[];
}

export interface MigrationOptions {
  readonly url: string;
  /** Files `NNN.do.name.sql`. */
  readonly folder: string;
  readonly connectMs: number;
}

/** Any number that nothing else locks. */
const LOCK = 7_077_001;

/** The highest `NNN` of the folder. */
export function newestMigration(folder: string): number {
  return Math.max(0, ...readdirSync(folder).map((name) => Number(/^(\d+)\.do\..*\.sql$/.exec(name)?.[1] ?? 0)));
}

export async function migrate(options: MigrationOptions): Promise<MigrationReport> {
  let isLost = false;
  const sql = postgres(options.url, {
    max: 1,
    max_lifetime: null,
    fetch_types: false,
    prepare: false,
    connect_timeout: options.connectMs / 1_000,
    connection: { application_name: 'migrate' },
    onnotice: () => undefined,
    onclose: () => {
      isLost = true;
    },
  });
  const run = async (text: string) => {
    if (isLost) throw new Error('the connection was lost: nothing was changed');
    return { rows: [...(await sql.unsafe(text))] };
  };
  try {
    await run('begin');
    await run(`select pg_advisory_xact_lock(${LOCK})`);
    const postgrator = new Postgrator({
      driver: 'pg',
      migrationPattern: path.join(options.folder, '*.sql'),
      schemaTable: 'schemaversion',
      currentSchema: 'public',
      execQuery: run,
      execSqlScript: async (text) => void (await run(text)),
    });
    const applied = await postgrator.migrate();
    const version = await postgrator.getDatabaseVersion();
    await run('commit');
    return { version, applied: applied.map(({ filename }) => path.basename(filename)) };
  } finally {
    await sql.end({ timeout: 1 });
  }
}
