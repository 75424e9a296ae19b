/** The sides with a rival ledger: their schema, their wallets, their server as a child process, one per size of the pool. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSigningKeys, uuidV7 } from '@local-plus/contracts';
import { freePorts } from '@local-plus/deploy';
import postgres from 'postgres';
import { z } from 'zod';
import type { HttpSide, Surroundings } from '../side.ts';
import { auditClassic, countTransactions } from './audits.ts';
import { startChild, untilReady } from './child.ts';
import type { RivalName } from './rival-ledger.ts';

/** How the sides are called in the tables. */
export const rivalTitles: Readonly<Record<RivalName, string>> = {
  'row-lock': 'row lock',
  procedure: 'stored procedure',
  'version-check': 'version check',
  queue: 'queue per wallet',
};

const ready = z.object({ under_way: z.int() });

/** Anybody's: these sides check no signature. */
const [noKey] = parseSigningKeys(`k1:${'A'.repeat(43)}`);

export interface RivalDatabase {
  readonly name: RivalName;
  readonly url: string;
  readonly walletIds: readonly string[];
}

export async function createRivalDatabase(surroundings: Surroundings, name: RivalName): Promise<RivalDatabase> {
  const url = await surroundings.createDatabase(name.replaceAll('-', '_'));
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    for (const file of ['classic.sql', 'procedure.sql']) {
      await sql.unsafe(readFileSync(new URL(file, import.meta.url), 'utf8'));
    }
    const walletIds = Array.from({ length: surroundings.walletCount }, () => uuidV7<string>(Date.now()));
    const programId = uuidV7<string>(Date.now());
    await sql`insert into accounts (id, program_id) select id, ${programId} from unnest(${walletIds}::uuid[]) as id`;
    await sql`analyze accounts`;
    return { name, url, walletIds };
  } finally {
    await sql.end({ timeout: 5 });
  }
}

export async function startRival(
  surroundings: Surroundings,
  { name, url, walletIds }: RivalDatabase,
  pool: number,
): Promise<HttpSide> {
  const [port = 0] = await freePorts(1);
  const child = startChild({
    name: `${name}-${pool}`,
    program: new URL('rival-server.ts', import.meta.url),
    dir: join(surroundings.dir, 'rivals'),
    env: { DATABASE_URL: url, PORT: String(port), POOL: String(pool), LEDGER: name },
  });
  await untilReady(child, port);
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  return {
    kind: 'http',
    name: rivalTitles[name],
    port,
    caller: { type: 'merchant', merchantId: uuidV7(Date.now()) },
    signingKey: noKey,
    walletIds,
    mayRefuse: name === 'version-check',
    pid: child.pid,
    brokerPid: null,
    countRows: () => countTransactions(sql),
    async countBusy() {
      const response = await fetch(`http://127.0.0.1:${port}/readyz`);
      return ready.parse(await response.json()).under_way;
    },
    audit: () => auditClassic(sql),
    async stop() {
      await sql.end({ timeout: 5 });
      await child.stop();
    },
  };
}
