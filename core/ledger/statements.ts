/**
 * The ledger's statements, and how a batch or its look-ups become their parameters. SQL only; what they mean stands in `store.ts`.
 *
 * A batch is one statement with one array per column: its text never changes, so it is prepared once, and a batch of
 * 1,000 costs one round trip. The arrays are written here as Postgres array literals, which is cheaper than the
 * driver's general encoder.
 */
import type { Batch, LookUps, PostedRow, RefusedRow } from '@local-plus/actors';

/** Look-ups as one result set: `what` says which, `n` (from 1) which question is answered. Nothing found: no row. */
export const lookUpStatement = `
select 1 as what, q.n::int as n, t.version, t.amount, t.balance_delta, t.balance_after, t.held_after,
  (extract(epoch from t.occurred_at) * 1000)::bigint as occurred_ms, t.contra_account_id, t.program_id,
  t.correlation_id, t.kind::text as kind, encode(t.request_hash, 'hex') as request_hash, t.seq, null::text as code,
  t.reference, t.metadata::text as metadata, t.traceparent
from unnest($2::uuid[], $3::text[]) with ordinality as q(account_id, key, n),
  lateral (select * from transactions where account_id = q.account_id and idempotency_key = q.key limit 1) as t
union all
select 2, q.n::int, r.version, r.amount, null, r.balance, r.held,
  (extract(epoch from r.occurred_at) * 1000)::bigint, null, r.program_id,
  r.correlation_id, r.kind::text, encode(r.request_hash, 'hex'), r.seq, r.code, null, null, null
from unnest($2::uuid[], $3::text[]) with ordinality as q(account_id, key, n),
  lateral (select * from refusals where account_id = q.account_id and idempotency_key = q.key limit 1) as r
union all
select 3, q.n::int, t.version, null, null, t.balance_after, t.held_after,
  (extract(epoch from t.occurred_at) * 1000)::bigint, null, null, null, null, null, null, null, null, null, null
from unnest($1::uuid[]) with ordinality as q(account_id, n),
  lateral (select * from transactions where account_id = q.account_id order by version desc limit 1) as t`;

/**
 * Everything hangs on the fence: without its row, nothing is inserted. `seq` is put together here: writer (10 bits),
 * batch (43), place (10).
 */
export const commitStatement = `
with fence as (
  update writers set batch = batch + 1 where id = $1::smallint and epoch = $2::bigint and batch = $3::bigint - 1
  returning (id::bigint << 53) | (batch << 10) as seq_base
), posted as (
  insert into transactions (account_id, version, seq, amount, balance_delta, balance_after, held_after, occurred_at,
    contra_account_id, program_id, correlation_id, kind, request_hash, idempotency_key, reference, metadata, traceparent)
  select r.account_id, r.version, f.seq_base | (r.place - 1), r.amount, r.balance_delta, r.balance_after, r.held_after,
    to_timestamp(r.occurred_ms / 1000.0::float8), r.contra_account_id, r.program_id, r.correlation_id,
    r.kind::transaction_kind, decode(r.request_hash, 'hex'), r.idempotency_key, r.reference, r.metadata::json,
    r.traceparent
  from fence as f, unnest($4::uuid[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[],
    $11::uuid[], $12::uuid[], $13::uuid[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[])
    with ordinality as r(account_id, version, amount, balance_delta, balance_after, held_after, occurred_ms,
      contra_account_id, program_id, correlation_id, kind, request_hash, idempotency_key, reference, metadata,
      traceparent, place)
), refused as (
  insert into refusals (account_id, seq, amount, balance, held, version, occurred_at, program_id, correlation_id, kind,
    code, request_hash, idempotency_key)
  select r.account_id, f.seq_base | (r.place - 1), r.amount, r.balance, r.held, r.version,
    to_timestamp(r.occurred_ms / 1000.0::float8), r.program_id, r.correlation_id, r.kind::transaction_kind, r.code,
    decode(r.request_hash, 'hex'), r.idempotency_key
  from fence as f, unnest($20::uuid[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[], $25::bigint[],
    $26::uuid[], $27::uuid[], $28::text[], $29::text[], $30::text[], $31::text[])
    with ordinality as r(account_id, amount, balance, held, version, occurred_ms, program_id, correlation_id, kind, code,
      request_hash, idempotency_key, place)
)
select seq_base from fence`;

export const claimStatement = `
insert into writers (id, epoch, batch) values ($1::smallint, 1, 0)
on conflict (id) do update set epoch = writers.epoch + 1, claimed_at = now()
returning epoch, batch`;

export const raiseStatement = `
update writers set epoch = epoch + 1, claimed_at = now() where id = $1::smallint and epoch = $2::bigint
returning epoch, batch`;

export const positionStatement = 'select epoch, batch from writers where id = $1::smallint';

export function commitParameters(batch: Batch): string[] {
  return [
    String(batch.writerId),
    String(batch.epoch),
    String(batch.batch),
    ...postedColumns(batch.posted),
    ...refusedColumns(batch.refused),
  ];
}

export function lookUpParameters(lookUps: LookUps): string[] {
  return [
    array(lookUps.accounts, (accountId) => accountId),
    array(lookUps.keys, (key) => key.accountId),
    array(lookUps.keys, (key) => quoted(key.idempotencyKey)),
  ];
}

function postedColumns(rows: readonly PostedRow[]): string[] {
  return [
    array(rows, (row) => row.facts.accountId),
    array(rows, (row) => row.posting.version),
    array(rows, (row) => row.posting.amount),
    array(rows, (row) => row.posting.balanceDelta),
    array(rows, (row) => row.posting.balanceAfter),
    array(rows, (row) => row.posting.heldAfter),
    array(rows, (row) => row.posting.occurredAtMs),
    array(rows, (row) => row.posting.contraAccountId),
    array(rows, (row) => row.facts.programId),
    array(rows, (row) => row.facts.requestId),
    array(rows, (row) => row.posting.kind),
    array(rows, (row) => row.facts.requestHash),
    array(rows, (row) => quoted(row.facts.idempotencyKey)),
    array(rows, (row) => quoted(row.facts.reference)),
    array(rows, (row) => quoted(row.facts.metadata)),
    array(rows, (row) => quoted(row.facts.traceparent)),
  ];
}

function refusedColumns(rows: readonly RefusedRow[]): string[] {
  return [
    array(rows, (row) => row.facts.accountId),
    array(rows, (row) => row.amount),
    array(rows, (row) => row.balance),
    array(rows, (row) => row.held),
    array(rows, (row) => row.version),
    array(rows, (row) => row.occurredAtMs),
    array(rows, (row) => row.facts.programId),
    array(rows, (row) => row.facts.requestId),
    array(rows, (row) => row.kind),
    array(rows, (row) => row.code),
    array(rows, (row) => row.facts.requestHash),
    array(rows, (row) => quoted(row.facts.idempotencyKey)),
  ];
}

/** A one-dimensional array literal. Elements are written as they are: ids, numbers, and what {@link quoted} made. */
function array<Row>(rows: readonly Row[], element: (row: Row) => string | number): string {
  let text = '{';
  for (let index = 0; index < rows.length; index++) {
    if (index > 0) text += ',';
    text += element(rows[index] as Row);
  }
  return `${text}}`;
}

const SPECIAL = /["\\]/;
const SPECIALS = /["\\]/g;

/** An element of a text array: always in quotes, so that neither braces, commas nor the word NULL mean anything. */
function quoted(text: string | null): string {
  if (text === null) return 'NULL';
  return SPECIAL.test(text) ? `"${text.replace(SPECIALS, '\\$&')}"` : `"${text}"`;
}
