/**
 * What stands on programs' transit accounts, over all databases of the ledger, and what of it transfers explain that are
 * on their way. A departure is in one database and its arrival may be in another. SQL only.
 */
import type postgres from 'postgres';
import { limits } from '../limits.ts';
import type { TransitRow } from './checks.ts';

/** A connection, or a transaction on one; `bigint` arrives as a number. */
export type Sql = Pick<postgres.Sql<{ bigint: number }>, 'unsafe'> & postgres.ISql<{ bigint: number }>;

/** A departure that is open in its own database, and has not come back there. */
interface OpenRow {
  readonly accountId: string;
  readonly version: number;
  readonly programId: string;
  readonly amount: number;
  readonly partner: string;
  /** Of its arrival. */
  readonly key: string;
}

type Transit = { -readonly [Member in keyof TransitRow]: TransitRow[Member] };

export async function eachTransit(all: readonly Sql[], look: (row: TransitRow) => void): Promise<void> {
  const programs = new Map<string, Transit>();
  const of = (programId: string): Transit => {
    const known = programs.get(programId) ?? { programId, transit: 0, open: 0, openCount: 0 };
    programs.set(programId, known);
    return known;
  };
  for (const sql of all) {
    for (const { programId, transit } of await movedIn(sql)) of(programId).transit += transit;
    for await (const rows of openIn(sql)) {
      const arrived = await arrivedOf(all, rows);
      for (const { programId, amount, partner, key } of rows) {
        if (arrived.has(`${partner} ${key}`)) continue;
        const transit = of(programId);
        transit.open += amount;
        transit.openCount++;
      }
    }
  }
  for (const row of programs.values()) look(row);
}

/** A program's transit account is its id as version 8 with the role in the last byte (contracts/ids.ts). */
async function movedIn(sql: Sql): Promise<readonly Pick<TransitRow, 'programId' | 'transit'>[]> {
  return sql<Pick<TransitRow, 'programId' | 'transit'>[]>`
    select program_id as "programId", (-sum(balance_delta))::bigint as transit from transactions
    where kind in ('transfer_out', 'transfer_in', 'reverse') and contra_account_id = ((
        left(program_id::text, 14) || '8' || substr(program_id::text, 16, 19) || '05')::uuid)
    group by program_id`;
}

/** By pages: others are asked in between, on the same connections. */
async function* openIn(sql: Sql): AsyncGenerator<readonly OpenRow[]> {
  let after = { accountId: '00000000-0000-0000-0000-000000000000', version: 0 };
  for (;;) {
    const rows: readonly (OpenRow & { readonly isBack: boolean })[] = await sql<(OpenRow & { isBack: boolean })[]>`
      select o.account_id as "accountId", o.version, t.program_id as "programId", t.amount,
        t.detail ->> 'partner' as partner, 'transfer ' || t.account_id::text || ' ' || t.idempotency_key as key,
        exists (select 1 from transactions as r where r.account_id = t.account_id
          and r.idempotency_key = 'return ' || t.idempotency_key) as "isBack"
      from open_transfers as o join transactions as t on t.account_id = o.account_id and t.version = o.version
      where (o.account_id, o.version) > (${after.accountId}::uuid, ${after.version})
      order by o.account_id, o.version limit ${limits.chunkRows}`;
    yield rows.filter(({ isBack }) => !isBack);
    const last = rows.at(-1);
    if (last === undefined || rows.length < limits.chunkRows) return;
    after = last;
  }
}

/** `account key` of the arrivals that are there, in whichever database. */
async function arrivedOf(all: readonly Sql[], rows: readonly OpenRow[]): Promise<ReadonlySet<string>> {
  const accounts = rows.map(({ partner }) => partner);
  const keys = rows.map(({ key }) => key);
  const arrived = new Set<string>();
  for (const sql of rows.length === 0 ? [] : all) {
    const found = await sql<{ place: string }[]>`
      select t.account_id::text || ' ' || t.idempotency_key as place
      from unnest(${accounts}::uuid[], ${keys}::text[]) as q(account_id, key)
        join transactions as t on t.account_id = q.account_id and t.idempotency_key = q.key`;
    for (const { place } of found) arrived.add(place);
  }
  return arrived;
}
