/**
 * Brings the schema to the newest migration of a folder, by postgrator.
 *
 * - M1 one at a time: an advisory lock of the transaction; whoever comes second finds everything done.
 * - M2 all or nothing: every pending migration and its record are one transaction. (So a migration cannot contain what
 *   Postgres refuses inside one.)
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import Postgrator from 'postgrator';
import { inTransaction } from './transaction.ts';

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

export function migrate({ url, folder, connectMs }: MigrationOptions): Promise<MigrationReport> {
  return inTransaction({ url, name: 'migrate', connectMs }, async (run) => {
    await run(`select pg_advisory_xact_lock(${LOCK})`);
    const postgrator = new Postgrator({
      driver: 'pg',
      migrationPattern: path.join(folder, '*.sql'),
      schemaTable: 'schemaversion',
      currentSchema: 'public',
      execQuery: async (text) => ({ rows: [...(await run(text))] }),
      execSqlScript: async (text) => void (await run(text)),
    });
    const applied = await postgrator.migrate();
    const version = await postgrator.getDatabaseVersion();
    return { version, applied: applied.map(({ filename }) => path.basename(filename)) };
  });
}
