/**
 * Fills a ledger with SQL, by the ledger's own rules: dense versions, a balance that is the sum of the rows before it, a place
 * in a writer's batches, times that never run backwards. The rows carry no link of the hash chain, as those from before the
 * chain; `npm run verify-ledger` finds nothing wrong with them.
 */
import { type ProgramId, programAccount } from '@local-plus/contracts';
import postgres from 'postgres';
import { seededRandom } from '../../../core/test/random.ts';
import { accountIdOf } from '../sides/ledger-messages.ts';
import type { Tenant } from '../sides/ours.ts';

/** Not the writer of the core that runs beside it. */
const FILL_WRITER = 2;
const BATCH_ROWS = 1_000;
/** Rows of one statement: bounds what a single transaction holds. */
const CHUNK_ROWS = 500_000;
const AMOUNT = 100;

export interface FillPlan {
  readonly wallets: number;
  /** In all; every wallet gets as many as the others, one more at most. */
  readonly rows: number;
  readonly log?: (line: string) => void;
}

/** Wallet n of the fill, as SQL. */
const accountSql = (n: string): string => `('00000000-0000-7000-8000-' || lpad(to_hex(${n}), 12, '0'))::uuid`;

/** Row `i` (from 0): transaction i / wallets + 1 of wallet i % wallets. */
export function rowsStatement(plan: FillPlan, tenant: Tenant, from: number, to: number): string {
  const version = `(i / ${plan.wallets} + 1)`;
  const contra = programAccount(tenant.programId as ProgramId, 'issued');
  return `
insert into transactions (account_id, version, seq, amount, balance_delta, balance_after, held_after, occurred_at,
  contra_account_id, program_id, correlation_id, kind, request_hash, idempotency_key)
select ${accountSql(`i % ${plan.wallets}`)}, ${version},
  (${FILL_WRITER}::bigint << 53) | ((i / ${BATCH_ROWS} + 1) << 10) | (i % ${BATCH_ROWS}), ${AMOUNT}, ${AMOUNT},
  ${version} * ${AMOUNT}, 0, date_trunc('milliseconds', now()) - (${plan.rows}::bigint - i) * interval '1 millisecond',
  '${contra}', '${tenant.programId}', '00000000-0000-7000-8000-0000000000fe', 'earn',
  '\\x00112233445566778899aabbccddeeff', 'fill.' || lpad(i::text, 12, '0')
from generate_series(${from}::bigint, ${to}::bigint) as i`;
}

export async function fillLedger(databaseUrl: string, tenant: Tenant, plan: FillPlan): Promise<string[]> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  try {
    await sql.unsafe(`
      insert into wallets (id, merchant_id, program_id, unit, creator, idempotency_key, request_hash)
      select ${accountSql('i')}, '${tenant.merchantId}', '${tenant.programId}', 'PTS', '${tenant.merchantId}',
        'fill.' || i, '\\x00' from generate_series(0, ${plan.wallets - 1}) as i`);
    for (let from = 0; from < plan.rows; from += CHUNK_ROWS) {
      const to = Math.min(plan.rows, from + CHUNK_ROWS);
      await sql.unsafe(rowsStatement(plan, tenant, from, to - 1));
      if (plan.rows > CHUNK_ROWS) plan.log?.(`filled ${to} of ${plan.rows} rows`);
    }
    await sql`insert into writers (id, epoch, batch) values (${FILL_WRITER}, 1, ${Math.ceil(plan.rows / BATCH_ROWS)})`;
    // What autovacuum would do some minutes later, in the middle of a round.
    await sql.unsafe('vacuum analyze transactions');
    await sql.unsafe('vacuum analyze wallets');
    await sql.unsafe('checkpoint');
  } finally {
    await sql.end({ timeout: 5 });
  }
  return shuffled(plan.wallets, 1).map(accountIdOf);
}

/** 0 … count − 1 in an order that looks like chance: neighbours in the table are not asked one after the other. */
export function shuffled(count: number, seed: number): number[] {
  const random = seededRandom(seed);
  const numbers = Array.from({ length: count }, (_, n) => n);
  for (let at = count - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [numbers[at], numbers[other]] = [numbers[other] as number, numbers[at] as number];
  }
  return numbers;
}
