/**
 * `npm run verify-tiers`: recomputes the tiers of all wallets from the ledger's rows. Reads only, and beside a running system.
 * The databases are those of DATABASE_URL and LEDGER_DATABASES.
 *
 * Exit codes: 0 every tier is what the rows say; 1 one is not; 2 it could not be found out.
 */
import { ConfigError, readDatabaseUrls } from './config.ts';
import { limits } from './limits.ts';
import { createDatabase } from './platform/postgres/index.ts';
import { createLog } from './platform/telemetry/index.ts';
import { verifyTiers } from './tiers/index.ts';

const EXIT_WRONG = 1;
const EXIT_UNKNOWN = 2;
const CONNECTIONS = 2;
/** Faults that are printed; all are counted. */
const SHOWN_MAX = 20;

async function main(): Promise<void> {
  const log = createLog('silent');
  const urls = readDatabaseUrls(process.env);
  const open = (url: string) =>
    createDatabase({ ...limits, connectionsMax: CONNECTIONS, url, name: 'verify-tiers', log });
  const ledgers = [...urls.values()].map(open);
  const [home] = ledgers;
  if (home === undefined) throw new Error('there is a first database');
  let faults = 0;
  try {
    const { wallets, behind } = await verifyTiers({
      home,
      ledgers,
      wrong: (accountId, what) => {
        faults++;
        if (faults <= SHOWN_MAX) console.log(`wallet ${accountId}: ${what}`);
      },
    });
    const verdict = faults === 0 ? 'every tier is what the rows say' : `${faults} faults`;
    console.log(`${wallets} wallets, of which ${behind} have newer rows: ${verdict}`);
    process.exitCode = faults === 0 ? 0 : EXIT_WRONG;
  } finally {
    await Promise.all(ledgers.map((ledger) => ledger.close(limits.closeMs)));
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof ConfigError ? error.message : `it could not be found out: ${String(error)}`);
  process.exitCode = EXIT_UNKNOWN;
}
