/**
 * `node core/migrate.ts`: brings the schema of DATABASE_URL, and of all LEDGER_DATABASES, up to date, and places the shards
 * where there are several. Exit code 0 when everything is as it should be.
 */
import { ConfigError, migrationsFolder, readDatabaseUrls } from './config.ts';
import { limits } from './limits.ts';
import { migrate } from './platform/postgres/index.ts';
import { PlacingError, placeShards } from './shards/index.ts';

async function main(): Promise<void> {
  const urls = readDatabaseUrls(process.env);
  for (const [id, url] of urls) {
    const { version, applied } = await migrate({ url, folder: migrationsFolder, connectMs: limits.connectMs });
    const where = urls.size === 1 ? '' : ` of database ${id}`;
    for (const name of applied) console.log(`applied ${name}${where}`);
    console.log(`the schema${where} stands at migration ${version}`);
  }
  await placeShards(urls, limits.connectMs);
}

if (process.argv[1] === import.meta.filename) {
  try {
    await main();
  } catch (error) {
    const isPlain = error instanceof ConfigError || error instanceof PlacingError;
    console.error(isPlain ? error.message : `the migration failed: ${String(error)}`);
    if (error instanceof AggregateError) for (const each of error.errors) console.error(String(each));
    process.exitCode = 1;
  }
}
