/** The statement that pgbench repeats: a batch of rows as the ledger would have written them. */

export interface BatchPlan {
  /** Keeps apart the accounts and the positions of the workloads: 0 or 1. */
  readonly lane: number;
  readonly rows: number;
  readonly wallets: number;
}

const AMOUNT = 500;

/**
 * Row n of a lane (from 0) is transaction n / wallets + 1 of account n % wallets, so versions are dense and the balance
 * after it is known without reading. `lanes.done` counts rows, and stands for the fence.
 */
export function batchStatement({ lane, rows, wallets }: BatchPlan): string {
  const account = `('00000000-0000-7000-800${lane}-' || lpad(to_hex(n % ${wallets}), 12, '0'))::uuid`;
  const version = `n / ${wallets} + 1`;
  return `with fence as (
  update lanes set done = done + ${rows} where lane = ${lane} returning done - ${rows} as base
)
insert into transactions (account_id, version, seq, amount, balance_delta, balance_after, held_after, occurred_at,
  contra_account_id, program_id, correlation_id, kind, request_hash, idempotency_key, hash)
select ${account}, ${version}, (${lane + 1}::bigint << 53) | n, ${AMOUNT}, ${AMOUNT}, (${version}) * ${AMOUNT}, 0, now(),
  '00000000-0000-8000-8000-000000000001', '00000000-0000-7000-8000-0000000000ff',
  '00000000-0000-7000-8000-0000000000fe', 'earn', '\\x00112233445566778899aabbccddeeff', 'b.' || lpad(n::text, 12, '0'),
  '\\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'
from fence, generate_series(fence.base, fence.base + ${rows - 1}) as n;
`;
}
