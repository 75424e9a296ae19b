/**
 * The tables `liability_days` and `liability_cuts`. SQL only. Sums come and go as decimal texts.
 */
import type { ProgramId } from '@local-plus/contracts';
import type { Database } from '../platform/postgres/index.ts';
import { type Column, columns, type DaySums, type Sums } from './domain.ts';
import { liabilityLimits } from './limits.ts';

/** Up to where a writer's rows are summed. */
export interface Cut {
  readonly databaseId: number;
  readonly writerId: number;
  /** The decimal text of a `bigint`. */
  readonly seq: string;
  /** Another process has looked at it a moment ago. */
  readonly isFresh: boolean;
}

/** A day of a program, and whose it is; null: there is no such program. */
export interface OwnedDay extends DaySums {
  readonly merchantId: string | null;
  readonly unit: string | null;
}

type ColumnTexts = Readonly<Record<Column, string>>;

export interface DayRow extends ColumnTexts {
  readonly program_id: ProgramId;
  readonly unit: string;
  readonly day: string;
  readonly transactions: number;
  readonly late_transactions: number;
  /** Outstanding when the day began. */
  readonly opening: string;
}

export interface ProgramDays {
  /** Outstanding when the first day began. */
  readonly opening: string;
  readonly asOf: Date | null;
  /** Of days on which something happened, in their order. */
  readonly days: readonly Omit<DayRow, 'opening'>[];
}

const cutsStatement = `
select now() as now, coalesce((
  select json_agg(json_build_object('databaseId', database_id, 'writerId', writer_id, 'seq', seq::text,
    'isFresh', updated_at > now() - $1::int * interval '1 millisecond'))
  from liability_cuts
), '[]') as cuts`;

const openStatement = `insert into liability_cuts (database_id, writer_id, seq)
  select * from unnest($1::text[]::smallint[], $2::text[]::smallint[], $3::text[]::bigint[])
  on conflict do nothing`;

/** The cut is compared and set, and the sums hang on it: whoever sums the same piece as well adds nothing. */
const advanceStatement = `
with before as (
  select caught_up_at from liability_cuts where database_id = $1::int and writer_id = $2::int
), cut as (
  update liability_cuts
  set seq = $4::text::bigint, caught_up_at = coalesce($5::timestamptz, caught_up_at), updated_at = now()
  where database_id = $1::int and writer_id = $2::int and seq = $3::text::bigint
  returning writer_id
), summed as (
  insert into liability_days as d (program_id, day, merchant_id, unit, transactions, late_transactions, ${columns.join(', ')})
  select q.program_id, q.day::date, nullif(q.merchant_id, '')::uuid, nullif(q.unit, ''), q.transactions::bigint,
    case when before.caught_up_at >= (q.day::date + 1)::timestamp at time zone 'UTC'
        + interval '${liabilityLimits.graceMs} milliseconds'
      then q.transactions::bigint else 0 end,
    ${columns.map((column) => `q.${column}::numeric`).join(', ')}
  from cut, before, unnest($6::uuid[], $7::text[], $8::text[], $9::text[], $10::text[],
      ${columns.map((_, index) => `$${11 + index}::text[]`).join(', ')})
    as q(program_id, day, merchant_id, unit, transactions, ${columns.join(', ')})
  order by q.program_id, q.day
  on conflict (program_id, day) do update set transactions = d.transactions + excluded.transactions,
    late_transactions = d.late_transactions + excluded.late_transactions,
    ${columns.map((column) => `${column} = d.${column} + excluded.${column}`).join(', ')}
)
select writer_id from cut`;

const sumTexts = columns.map((column) => `d.${column}::text as ${column}`).join(', ');

const asOfColumn = `(
    select case when bool_and(caught_up_at is not null) then min(caught_up_at) end from liability_cuts
  ) as as_of`;

const programStatement = `
select ${asOfColumn}, past.opening::text as opening, d.program_id, d.unit, d.day::text as day, d.transactions,
  d.late_transactions, ${sumTexts}
from (
    select coalesce(sum(net), 0) as opening from liability_days where program_id = $1::uuid and day < $2::text::date
  ) as past
  left join liability_days as d
    on d.program_id = $1::uuid and d.day >= $2::text::date and d.day <= $3::text::date
order by d.day`;

const pageStatement = `
select d.program_id, d.unit, d.day::text as day, d.transactions, d.late_transactions, ${sumTexts}, (
    select coalesce(sum(net), 0) from liability_days as p where p.program_id = d.program_id and p.day < d.day
  )::text as opening
from liability_days as d
where d.merchant_id = $1::uuid and d.day >= $2::text::date
  and (d.day, d.program_id) < ($3::text::date, $4::uuid)
order by d.day desc, d.program_id desc limit $5::int`;

const asOfStatement = `select ${asOfColumn}`;

type ProgramRow = { readonly as_of: Date | null; readonly opening: string } & (
  | Omit<DayRow, 'opening'>
  | { readonly program_id: null }
);

export class LiabilityStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /** And the time at which they stood so, by the database's clock. */
  async cuts(): Promise<{ readonly now: Date; readonly cuts: readonly Cut[] }> {
    type Row = { readonly now: Date; readonly cuts: readonly Cut[] };
    const [row] = await this.#database.read<Row>(cutsStatement, [liabilityLimits.othersMs]);
    if (row === undefined) throw new Error('a query without a table has a row');
    return row;
  }

  /** Where there is none yet. */
  async open(cuts: readonly Omit<Cut, 'isFresh'>[]): Promise<void> {
    const parameters = [
      cuts.map(({ databaseId }) => String(databaseId)),
      cuts.map(({ writerId }) => String(writerId)),
      cuts.map(({ seq }) => seq),
    ];
    await this.#database.write(openStatement, parameters);
  }

  /**
   * Adds what stands between the cut and `seq`.
   *
   * @param caughtUpAt all that the writer had committed before is summed then; null: more is there
   * @returns false: another process was faster
   */
  async advance(
    cut: Omit<Cut, 'isFresh'>,
    seq: string,
    caughtUpAt: Date | null,
    days: readonly OwnedDay[],
  ): Promise<boolean> {
    const rows = await this.#database.write(advanceStatement, [
      cut.databaseId,
      cut.writerId,
      cut.seq,
      seq,
      caughtUpAt,
      days.map(({ programId }) => programId),
      days.map(({ day }) => day),
      days.map(({ merchantId }) => merchantId ?? ''),
      days.map(({ unit }) => unit ?? ''),
      days.map((each) => String(each.rows)),
      ...columns.map((column) => days.map(({ sums }) => String(sums[column]))),
    ]);
    return rows.length === 1;
  }

  /** @param from, to the first and the last day */
  async program(programId: ProgramId, from: string, to: string): Promise<ProgramDays> {
    const rows = await this.#database.read<ProgramRow>(programStatement, [programId, from, to]);
    const [first] = rows;
    if (first === undefined) throw new Error('a sum of nothing is a row, too');
    const days = rows.flatMap((row) => (row.program_id === null ? [] : [row]));
    return { opening: first.opening, asOf: first.as_of, days };
  }

  /** Newest first, those before a day and program. */
  page(
    merchantId: string,
    from: string,
    before: { readonly day: string; readonly programId: string },
    rowsMax: number,
  ): Promise<readonly DayRow[]> {
    return this.#database.read<DayRow>(pageStatement, [merchantId, from, before.day, before.programId, rowsMax]);
  }

  /** All transactions before are summed; null: the ledger is still read for the first time. */
  async asOf(): Promise<Date | null> {
    return (await this.#database.read<{ readonly as_of: Date | null }>(asOfStatement))[0]?.as_of ?? null;
  }
}

export function sumsOf(row: ColumnTexts): Sums {
  return Object.fromEntries(columns.map((column) => [column, BigInt(row[column])])) as Sums;
}
