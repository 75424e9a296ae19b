/**
 * `node core/migrate.ts`: brings the schema of DATABASE_URL up to date. Exit code 0 when it is.
 */
import { ConfigError, migrationsFolder, readDatabaseUrl } from './config.ts';
import { limits } from './limits.ts';
import { migrate } from './platform/postgres/index.ts';

async function main(): Promise<void> {
  const url = readDatabaseUrl(process.env);
  const { version, applied } = await migrate({ url, folder: migrationsFolder, connectMs: limits.connectMs });
  for (const name of applied) console.log(`applied ${name}`);
  console.log(`the schema stands at migration ${version}`);
}

if (process.argv[1] === import.meta.filename) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : `the migration failed: ${String(error)}`);
    if (error instanceof AggregateError) for (const each of error.errors) console.error(String(each));
    process.exitCode = 1;
  }
}
