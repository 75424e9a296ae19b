/**
 * The ledger's statements, and how a batch or its look-ups become their parameters. SQL only; what they mean stands in
 * `store.ts`, how their rows are read in `found.ts`.
 *
 * A batch is one statement with one array per column: its text does not go by how many rows there are, so it is prepared once,
 * and a batch of 1,000 costs one round trip. The arrays are written here as Postgres array literals, which is cheaper than the
 * driver's general encoder. `unnest` fills the shorter of its arrays with nulls, so a column that says nothing in a whole
 * batch is sent as an empty array.
 */
import {
  type Batch,
  detailText,
  isDeparture,
  type Key,
  type LookUps,
  type PostedRow,
  type RefusedRow,
} from '@local-plus/actors';
import type { AccountId, ProgramId } from '@local-plus/contracts';

/**
 * Look-ups as one result set: `what` says which, `n` (from 1) which question is answered. Nothing found: no row.
 *
 * 1 a transaction of a key; 2 a refusal of a key; 3 the newest row of an account. Where that does not say it all,
 * `metadata` is the checkpoint to begin at, and `detail` the rows from the base on, in no promised order: one JSON text,
 * because a row each would cost the thread that answers requests three times as much. Where it does, neither is looked
 * for, and the account costs one index probe.
 */
export const lookUpStatement = `
select 1 as what, q.n::int as n, t.version, t.amount, t.balance_delta, t.balance_after, t.held_after,
  (extract(epoch from t.occurred_at) * 1000)::bigint as occurred_ms, t.contra_account_id, t.kind::text as kind,
  t.reversal_of, t.base_version, t.detail::text as detail, encode(t.hash, 'hex') as hash, t.program_id, t.correlation_id,
  encode(t.request_hash, 'hex') as request_hash, t.seq, t.reference, t.metadata::text as metadata, t.traceparent,
  null::text as code, null::smallint as part
from unnest($2::uuid[], $3::text[]) with ordinality as q(account_id, key, n),
  lateral (select * from transactions where account_id = q.account_id and idempotency_key = q.key limit 1) as t
union all
select 2, q.n::int, r.version, r.amount, null, r.balance, r.held,
  (extract(epoch from r.occurred_at) * 1000)::bigint, null, r.kind::text, null, null, null, null, r.program_id,
  r.correlation_id, encode(r.request_hash, 'hex'), r.seq, null, null, null, r.code, r.part
from unnest($2::uuid[], $3::text[]) with ordinality as q(account_id, key, n),
  lateral (select * from refusals where account_id = q.account_id and idempotency_key = q.key limit 1) as r
union all
select 3, q.n::int, h.version, null, null, h.balance_after, h.held_after,
  (extract(epoch from h.occurred_at) * 1000)::bigint, null, null, null, h.base_version,
  case when h.base_version is not null then (
    select json_agg(json_build_array(version, kind, amount, balance_delta, balance_after, held_after,
      (extract(epoch from occurred_at) * 1000)::bigint, contra_account_id, reversal_of, base_version, detail))::text
    from transactions
    where account_id = q.account_id and version >= h.base_version and version <= h.version
  ) end,
  encode(h.hash, 'hex'), null, null, null, null, null,
  case when h.base_version is not null then (
    select state::text from account_states where account_id = q.account_id and version = h.base_version
  ) end,
  null, null, null
from unnest($1::uuid[]) with ordinality as q(account_id, n),
  lateral (select * from transactions where account_id = q.account_id order by version desc limit 1) as h`;

const fenceRow = 'id = $1::smallint and epoch = $2::bigint and batch = $3::bigint - 1';
const FENCE_PARAMETERS = 3;

/** What a batch may consist of. Each has its own place among the parameters, an array a column. */
interface Part {
  /** Of its columns. */
  readonly types: readonly string[];
  /** @param rows its parameters, as what `unnest` takes */
  readonly insert: (rows: string) => string;
  /** Of rows with a key: the place of its column, and where else it may have been used. Its own table's index sees to itself. */
  readonly key?: { readonly column: number; readonly elsewhere: string };
}

/**
 * Everything hangs on the fence: without its row, nothing is inserted. `seq` is put together here: writer (10 bits),
 * batch (43), place (10).
 */
const parts = {
  posted: {
    types: `uuid bigint bigint bigint bigint bigint bigint uuid uuid uuid text text text text text text uuid bigint text
      text`.split(/\s+/),
    key: { column: 12, elsewhere: 'refusals' },
    insert: (rows) => `
  insert into transactions (account_id, version, seq, amount, balance_delta, balance_after, held_after, occurred_at,
    contra_account_id, program_id, correlation_id, kind, request_hash, idempotency_key, reference, metadata, traceparent,
    reversal_of, base_version, detail, hash)
  select r.account_id, r.version, f.seq_base | (r.place - 1), r.amount, r.balance_delta, r.balance_after, r.held_after,
    to_timestamp(r.occurred_ms / 1000.0::float8), r.contra_account_id, r.program_id, r.correlation_id,
    r.kind::transaction_kind, decode(r.request_hash, 'hex'), r.idempotency_key, r.reference, r.metadata::json,
    r.traceparent, r.reversal_of, r.base_version, r.detail::json, decode(r.hash, 'hex')
  from fence as f, unnest(${rows})
    with ordinality as r(account_id, version, amount, balance_delta, balance_after, held_after, occurred_ms,
      contra_account_id, program_id, correlation_id, kind, request_hash, idempotency_key, reference, metadata,
      traceparent, reversal_of, base_version, detail, hash, place)`,
  },
  refused: {
    types: 'uuid bigint bigint bigint bigint bigint uuid uuid text text text text smallint'.split(' '),
    key: { column: 11, elsewhere: 'transactions' },
    insert: (rows) => `
  insert into refusals (account_id, seq, amount, balance, held, version, occurred_at, program_id, correlation_id, kind,
    code, request_hash, idempotency_key, part)
  select r.account_id, f.seq_base | (r.place - 1), r.amount, r.balance, r.held, r.version,
    to_timestamp(r.occurred_ms / 1000.0::float8), r.program_id, r.correlation_id, r.kind::transaction_kind, r.code,
    decode(r.request_hash, 'hex'), r.idempotency_key, r.part
  from fence as f, unnest(${rows})
    with ordinality as r(account_id, amount, balance, held, version, occurred_ms, program_id, correlation_id, kind, code,
      request_hash, idempotency_key, part, place)`,
  },
  checkpoints: {
    types: ['uuid', 'bigint', 'text'],
    insert: (rows) => `
  insert into account_states (account_id, version, state)
  select r.account_id, r.version, r.state::json from fence as f, unnest(${rows}) as r(account_id, version, state)`,
  },
  dues: {
    types: ['uuid', 'bigint', 'uuid'],
    insert: (rows) => `
  insert into account_dues (account_id, due_at, program_id)
  select r.account_id, coalesce(to_timestamp(r.due_ms / 1000.0::float8), 'infinity'), r.program_id
  from fence as f, unnest(${rows}) as r(account_id, due_ms, program_id)
  on conflict (account_id) do update set due_at = excluded.due_at, program_id = excluded.program_id`,
  },
  departures: {
    types: ['uuid', 'bigint'],
    insert: (rows) => `
  insert into open_transfers (account_id, version)
  select r.account_id, r.version from fence as f, unnest(${rows}) as r(account_id, version)`,
  },
} as const satisfies Record<string, Part>;
type PartName = keyof typeof parts;

/** Whether a key of these rows was used for the other thing: a transaction's for a refusal, a refusal's for a transaction. */
const isUsedElsewhere = (key: string, elsewhere: string): string => `exists (
    select from unnest(${key}) as q(account_id, key)
    where exists (select from ${elsewhere} where account_id = q.account_id and idempotency_key = q.key)
  )`;

/**
 * The statement of a batch with these parts, in this order. Of an optimistic one, whose keys were not looked up, the unique
 * indexes refuse those that were used for the same; for the other thing they are looked for here. That is said only where the
 * fence would have let the batch pass: one that was applied before would find its own keys. Fence and keys are seen at one
 * moment, so no key comes in between.
 */
function commitStatement(names: readonly PartName[], isOptimistic: boolean): string {
  let taken = FENCE_PARAMETERS;
  const used: string[] = [];
  const inserts = names.map((name) => {
    const { types, insert, key }: Part = parts[name];
    const rows = types.map((type) => `$${++taken}::${type}[]`);
    if (key) used.push(isUsedElsewhere(`${rows[0]}, ${rows[key.column]}`, key.elsewhere));
    return `, ${name} as (${insert(rows.join(', '))}\n)`;
  });
  const before = isOptimistic ? `used as (select from writers where ${fenceRow} and (${used.join(' or ')})), ` : '';
  const fence = `fence as (
  update writers set batch = batch + 1 where ${fenceRow}${isOptimistic ? ' and not exists (select from used)' : ''}
  returning (id::bigint << 53) | (batch << 10) as seq_base
)`;
  const after = isOptimistic ? ' union all select true from used' : '';
  return `with ${before}${fence}${inserts.join('')}
select false as used from fence${after}`;
}

const commitStatements = new Map<string, string>();

/**
 * A batch's statement and its parameters; it returns whether a key was used for the other thing, or nothing where the fence did not
 * let it pass. What is not in a batch is not in its statement: Postgres opens every table that one names, which costs a batch
 * of one command more than the row. There are 64 texts at most, each prepared once.
 */
export function commitOf(batch: Batch): { readonly statement: string; readonly parameters: string[] } {
  const { posted, refused, isOptimistic } = batch;
  const checkpoints = checkpointsOf(posted);
  const dues = lastDues(posted);
  const departures = posted.filter(isDeparture);
  const parameters = [String(batch.writerId), String(batch.epoch), String(batch.batch)];
  const names: PartName[] = [];
  const add = (name: PartName, rows: readonly unknown[], columns: () => string[]): void => {
    if (rows.length === 0) return;
    names.push(name);
    parameters.push(...columns());
  };
  add('posted', posted, () => postedColumns(posted));
  add('refused', refused, () => refusedColumns(refused));
  add('checkpoints', checkpoints, () => checkpointColumns(checkpoints));
  add('dues', dues, () => dueColumns(dues));
  add('departures', departures, () => departureColumns(departures));
  const key = `${names.join()} ${isOptimistic}`;
  const statement = commitStatements.get(key) ?? commitStatement(names, isOptimistic);
  commitStatements.set(key, statement);
  return { statement, parameters };
}

export const claimStatement = `
insert into writers (id, epoch, batch) values ($1::smallint, 1, 0)
on conflict (id) do update set epoch = writers.epoch + 1, claimed_at = now()
returning epoch, batch`;

export const raiseStatement = `
update writers set epoch = epoch + 1, claimed_at = now() where id = $1::smallint and epoch = $2::bigint
returning epoch, batch`;

export const positionStatement = 'select epoch, batch from writers where id = $1::smallint';

export function lookUpParameters(lookUps: LookUps): string[] {
  return [array(lookUps.accounts, (accountId) => accountId), ...keyColumns(lookUps.keys)];
}

function departureColumns(rows: readonly PostedRow[]): string[] {
  return [array(rows, (row) => row.facts.accountId), array(rows, (row) => row.posting.version)];
}

function keyColumns(keys: readonly Key[]): string[] {
  return [array(keys, (key) => key.accountId), array(keys, (key) => quoted(key.idempotencyKey))];
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
    sparse(rows, (row) => quotedOrNull(row.facts.reference)),
    sparse(rows, (row) => quotedOrNull(row.facts.metadata)),
    sparse(rows, (row) => quotedOrNull(row.facts.traceparent)),
    sparse(rows, (row) => row.posting.reversalOf),
    sparse(rows, (row) => row.posting.baseVersion),
    sparse(rows, (row) => quotedOrNull(detailText(row.posting.detail))),
    sparse(rows, (row) => row.hash),
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
    array(rows, (row) => row.part),
  ];
}

interface Checkpoint {
  readonly accountId: AccountId;
  readonly version: number;
  readonly state: string;
}

function checkpointsOf(rows: readonly PostedRow[]): readonly Checkpoint[] {
  const checkpoints: Checkpoint[] = [];
  for (const { facts, posting } of rows) {
    if (posting.checkpoint === null) continue;
    checkpoints.push({ accountId: facts.accountId, version: posting.version, state: posting.checkpoint });
  }
  return checkpoints;
}

function checkpointColumns(checkpoints: readonly Checkpoint[]): string[] {
  return [
    array(checkpoints, (checkpoint) => checkpoint.accountId),
    array(checkpoints, (checkpoint) => checkpoint.version),
    array(checkpoints, (checkpoint) => quoted(checkpoint.state)),
  ];
}

interface Due {
  readonly accountId: AccountId;
  readonly programId: ProgramId;
  readonly atMs: number | null;
}

/** One per account, the last one: an upsert cannot touch a row twice. */
function lastDues(rows: readonly PostedRow[]): readonly Due[] {
  const dues = new Map<AccountId, Due>();
  for (const { facts, posting } of rows) {
    if (posting.due === null) continue;
    dues.set(facts.accountId, { accountId: facts.accountId, programId: facts.programId, atMs: posting.due.atMs });
  }
  return [...dues.values()];
}

function dueColumns(dues: readonly Due[]): string[] {
  return [
    array(dues, (due) => due.accountId),
    array(dues, (due) => due.atMs ?? 'NULL'),
    array(dues, (due) => due.programId),
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

/** As {@link array}, of elements that may be null; without any it is empty. */
function sparse<Row>(rows: readonly Row[], element: (row: Row) => string | number | null): string {
  let isEmpty = true;
  const text = array(rows, (row) => {
    const value = element(row);
    if (value === null) return 'NULL';
    isEmpty = false;
    return value;
  });
  return isEmpty ? '{}' : text;
}

const SPECIAL = /["\\]/;
const SPECIALS = /["\\]/g;

/** An element of a text array: always in quotes, so that neither braces, commas nor the word NULL mean anything. */
function quoted(text: string): string {
  return SPECIAL.test(text) ? `"${text.replace(SPECIALS, '\\$&')}"` : `"${text}"`;
}

function quotedOrNull(text: string | null): string | null {
  return text === null ? null : quoted(text);
}
