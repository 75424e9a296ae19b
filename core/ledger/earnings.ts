/**
 * The ledger's rows as who counts earned points follows them: which accounts earned since, and an account's rows in their order.
 * Committed rows only; SQL only.
 *
 * - E1 of tails.ts.
 * - E2 an account's rows are read by their versions, which have no gaps, whoever wrote them: a shard that moved needs no care.
 */
import type { AccountId, ProgramId, RequestId } from '@local-plus/contracts';
import type { LedgerDatabase, LedgerDatabases } from './databases.ts';
import { type PageEnd, readPiece, readTails, type Tail } from './tails.ts';

export interface Earner {
  readonly accountId: AccountId;
  readonly programId: ProgramId;
}

/** What happened between two places: who earned, or had an earn reversed; up to where that was looked at. */
export interface Earners {
  readonly earners: readonly Earner[];
  readonly seq: string;
}

/** A row of an account. */
export interface EarningRow {
  readonly version: number;
  readonly atMs: number;
  readonly requestId: RequestId;
  /** Earned; less than 0: taken back of what was earned at `earnedAtMs`; 0: another kind of row. */
  readonly points: number;
  readonly earnedAtMs: number;
}

export interface Earnings {
  tails(): Promise<readonly Tail[]>;
  /** From behind `afterSeq` (null: the beginning) up to the tail, `rowsMax` rows at most. */
  earners(tail: Tail, afterSeq: string | null, rowsMax: number): Promise<Earners>;
  /** Of each account its rows after that version, `rowsMax` at most, in order. */
  rowsAfter(
    places: readonly { readonly accountId: AccountId; readonly version: number }[],
    rowsMax: number,
  ): Promise<ReadonlyMap<AccountId, readonly EarningRow[]>>;
}

/** `seq` is past 2^53: it comes as text. */
const earnersStatement = `with page as materialized (
    select seq, account_id, program_id, kind from transactions
    where seq > $1::text::bigint and seq <= $2::text::bigint order by seq limit $3::int
  )
  select read.seq, read.rows, earned.account_id, earned.program_id
  from (select max(seq)::text as seq, count(*)::int as rows from page) as read
  left join (select distinct account_id, program_id from page where kind in ('earn', 'reverse')) as earned on true`;

const rowsStatement = `select w.account_id, t.version, t.kind, t.amount, t.at_ms, t.correlation_id,
    case when t.kind = 'reverse' then (
      select (extract(epoch from o.occurred_at) * 1000)::bigint from transactions as o
      where o.account_id = w.account_id and o.version = (t.detail ->> 'reverses')::bigint and o.kind = 'earn') end
    as original_ms
  from unnest($1::uuid[], $2::text[]) as w(account_id, version)
  cross join lateral (
    select version, kind::text as kind, amount, (extract(epoch from occurred_at) * 1000)::bigint as at_ms, detail,
      correlation_id
    from transactions where account_id = w.account_id and version > w.version::bigint order by version limit $3::int
  ) as t`;

interface EarnersRow extends PageEnd {
  readonly account_id: AccountId | null;
  readonly program_id: ProgramId | null;
}

interface Row {
  readonly account_id: AccountId;
  readonly version: number;
  readonly kind: string;
  readonly amount: number;
  readonly at_ms: number;
  readonly correlation_id: RequestId;
  readonly original_ms: number | null;
}

export function ledgerEarnings(databases: Pick<LedgerDatabases, 'all' | 'of'>): Earnings {
  return {
    tails: () => readTails(databases),
    async earners(tail, afterSeq, rowsMax) {
      const { rows, seq } = await readPiece<EarnersRow>(databases, earnersStatement, tail, afterSeq, rowsMax);
      const earners = rows.flatMap(({ account_id, program_id }) =>
        account_id === null || program_id === null ? [] : [{ accountId: account_id, programId: program_id }],
      );
      return { earners, seq };
    },
    async rowsAfter(places, rowsMax) {
      const byDatabase = Map.groupBy(places, ({ accountId }) => databases.of(accountId));
      const pages = await Promise.all([...byDatabase].map(([database, some]) => rowsOf(database, some, rowsMax)));
      const found = new Map<AccountId, EarningRow[]>();
      for (const row of pages.flat()) {
        const known = found.get(row.account_id);
        if (known === undefined) found.set(row.account_id, [earningFrom(row)]);
        else known.push(earningFrom(row));
      }
      return found;
    },
  };
}

async function rowsOf(
  { pool }: LedgerDatabase,
  places: readonly { readonly accountId: AccountId; readonly version: number }[],
  rowsMax: number,
): Promise<readonly Row[]> {
  const accounts = places.map(({ accountId }) => accountId);
  const versions = places.map(({ version }) => String(version));
  const rows = await pool.read<Row>(rowsStatement, [accounts, versions, rowsMax]);
  return [...rows].sort((one, other) => one.version - other.version);
}

function earningFrom(row: Row): EarningRow {
  const { version, kind, amount, at_ms: atMs, correlation_id: requestId, original_ms } = row;
  if (kind === 'earn') return { version, atMs, requestId, points: amount, earnedAtMs: atMs };
  return { version, atMs, requestId, points: original_ms === null ? 0 : -amount, earnedAtMs: original_ms ?? atMs };
}
