/**
 * `npm run verify-ledger`: recomputes the ledger from its tables and names the first row that is wrong. Reads only, and
 * beside a running ledger.
 *
 *     --database-url URL   otherwise DATABASE_URL, otherwise the local stack's (.local/stack.json)
 *     --ledger-databases 2=URL,3=URL   the ledger's further databases, where it has several; as LEDGER_DATABASES
 *     --account ID         this account only
 *     --since YYYY-MM-DD   rows of this day and later
 *     --root DAY=HEX       a root that was kept elsewhere has to be the one that is there; may be repeated; of database 2
 *                          it is 2:DAY=HEX
 *
 * Exit codes: 0 everything is what it claims to be; 1 something is not; 2 it could not be found out.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type AccountId, parseId, shards } from '@local-plus/contracts';
import { z } from 'zod';
import { ConfigError, type LedgerDatabaseUrls, readDatabaseUrls } from './config.ts';
import { limits } from './limits.ts';
import { type Database, DatabaseUnavailable } from './platform/postgres/index.ts';
import { createLog } from './platform/telemetry/index.ts';
import { auditLedger, auditLines, type HeldRoot, isDay, MissingDatabase, openAuditDatabase } from './proof/index.ts';

const EXIT_WRONG = 1;
const EXIT_UNKNOWN = 2;
const PROGRESS_MS = 500;

/** One plain sentence for the person at the terminal. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

const stackPath = path.join(import.meta.dirname, '..', '.local', 'stack.json');

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      'database-url': { type: 'string' },
      'ledger-databases': { type: 'string' },
      account: { type: 'string' },
      since: { type: 'string' },
      root: { type: 'string', multiple: true, default: [] },
    },
  });
  const accountId = values.account === undefined ? null : parseId<AccountId>(values.account);
  if (values.account !== undefined && accountId === null) throw new UsageError('--account takes an account id.');
  const since = values.since ?? null;
  if (since !== null && !isDay(since)) throw new UsageError('--since takes a day, YYYY-MM-DD.');
  const heldRoots = values.root.map(readHeldRoot);
  if (accountId !== null && heldRoots.length > 0) throw new UsageError('--root is about all accounts, not one.');

  const databases = openDatabases(databaseUrls(values['database-url'], values['ledger-databases']));
  const startedMs = performance.now();
  const progress = progressTo(process.stderr);
  try {
    const audit = await auditLedger({ ...databases, accountId, since, heldRoots, progress: progress.told });
    progress.clear();
    for (const line of auditLines(audit, (performance.now() - startedMs) / 1_000)) console.log(line);
    process.exitCode = audit.first === null ? 0 : EXIT_WRONG;
  } finally {
    progress.clear();
    await Promise.all([databases.database, ...databases.further.values()].map((each) => each.close(limits.closeMs)));
  }
}

function readHeldRoot(text: string): HeldRoot {
  const [, id, day = '', root = ''] = /^(?:(\d{1,2}):)?([\d-]+)=([0-9a-f]{64})$/.exec(text) ?? [];
  if (!isDay(day)) throw new UsageError('--root takes YYYY-MM-DD=<64 hex characters>, of a further database 2:YYYY-….');
  return { databaseId: id === undefined ? shards.firstDatabase : Number(id), day, root };
}

interface Opened {
  readonly database: Database;
  readonly further: ReadonlyMap<number, Database>;
}

function openDatabases(urls: LedgerDatabaseUrls): Opened {
  const open = (url: string) => openAuditDatabase({ url, connectMs: limits.connectMs, log: createLog('silent') });
  const further = new Map([...urls].filter(([id]) => id !== shards.firstDatabase).map(([id, url]) => [id, open(url)]));
  return { database: open(urls.get(shards.firstDatabase) as string), further };
}

const stackFile = z.object({
  database_url: z.string(),
  databases: z.array(z.object({ id: z.int(), url: z.string() })).default([]),
});

function databaseUrls(given: string | undefined, further: string | undefined): LedgerDatabaseUrls {
  const LEDGER_DATABASES = further ?? process.env['LEDGER_DATABASES'];
  const DATABASE_URL = given ?? process.env['DATABASE_URL'];
  if (DATABASE_URL !== undefined) return readDatabaseUrls({ DATABASE_URL, LEDGER_DATABASES });
  try {
    const { database_url, databases } = stackFile.parse(JSON.parse(readFileSync(stackPath, 'utf8')));
    return new Map([[shards.firstDatabase, database_url], ...databases.map(({ id, url }) => [id, url] as const)]);
  } catch (cause) {
    const sentence = 'Which ledger? Give --database-url, set DATABASE_URL, or run `npm start` first.';
    throw new UsageError(sentence, { cause });
  }
}

/** A line that is written over, on a terminal only. */
function progressTo(stream: NodeJS.WriteStream): { told: (rows: number) => void; clear: () => void } {
  let toldMs = performance.now();
  let isShown = false;
  return {
    told: (rows) => {
      if (!stream.isTTY || performance.now() - toldMs < PROGRESS_MS) return;
      toldMs = performance.now();
      isShown = true;
      stream.write(`\r${rows.toLocaleString('en-US')} rows …`);
    },
    clear: () => {
      if (isShown) stream.write('\r\u001b[K');
      isShown = false;
    },
  };
}

try {
  await main();
} catch (error) {
  const isPlain = [UsageError, ConfigError, DatabaseUnavailable, MissingDatabase].some(
    (plain) => error instanceof plain,
  );
  console.error(isPlain && error instanceof Error ? error.message : error);
  process.exitCode = EXIT_UNKNOWN;
}
