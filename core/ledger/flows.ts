/**
 * What the ledger's rows add up to, by program, UTC day and kind: for who reports sums. Read along each writer's tail, by the
 * index on `seq`, a bounded number of rows at a time: each row is read once, and no index is there for it.
 *
 * E1 of earnings.ts holds here, too: nothing is ever committed below a place of a writer's own that was read. So sums of what
 * stands between two places never change, and a row that comes late is in a later piece, under its own day.
 */
import type { TransactionKind } from '@local-plus/actors';
import {
  type ProgramAccountRole,
  type ProgramId,
  positionBounds,
  programAccountRoles,
  seqOf,
} from '@local-plus/contracts';
import type { LedgerDatabases } from './databases.ts';
import type { EarningsTail } from './earnings.ts';

/** Rows of one program, day, kind and other leg. */
export interface Flow {
  readonly programId: ProgramId;
  /** YYYY-MM-DD, of UTC. */
  readonly day: string;
  readonly kind: TransactionKind;
  /** Whose account the other leg is of; null: of none that a program has. */
  readonly role: ProgramAccountRole | null;
  /** What the accounts gained: a decimal integer. */
  readonly delta: string;
  readonly rows: number;
}

export interface Flows {
  readonly flows: readonly Flow[];
  /** Up to where was summed. */
  readonly seq: string;
  /** Up to the tail. */
  readonly isAll: boolean;
}

export interface LedgerFlows {
  /** From behind `afterSeq` (null: the beginning) up to the tail, `rowsMax` rows at most. */
  between(tail: EarningsTail, afterSeq: string | null, rowsMax: number): Promise<Flows>;
}

/** Grouped by what stands in the rows; only groups are made into texts. */
const flowsStatement = `with page as materialized (
    select seq, program_id, occurred_at, kind, contra_account_id, balance_delta from transactions
    where seq > $1::text::bigint and seq <= $2::text::bigint order by seq limit $3::int
  )
  select read.seq, read.rows as page_rows, flow.*
  from (select max(seq)::text as seq, count(*)::int as rows from page) as read
  left join (
    select program_id, day::text as day, kind::text as kind, get_byte(uuid_send(contra_account_id), 15) as role,
      delta::text as delta, rows
    from (
      select program_id, (occurred_at at time zone 'UTC')::date as day, kind, contra_account_id,
        sum(balance_delta) as delta, count(*)::int as rows
      from page group by 1, 2, 3, 4
    ) as grouped
  ) as flow on true`;

interface Row {
  readonly seq: string | null;
  readonly page_rows: number;
  readonly program_id: ProgramId | null;
  readonly day: string;
  readonly kind: TransactionKind;
  readonly role: number;
  readonly delta: string;
  readonly rows: number;
}

const roles = new Map(
  (Object.entries(programAccountRoles) as [ProgramAccountRole, number][]).map(([role, byte]) => [byte, role]),
);

export function ledgerFlows(databases: Pick<LedgerDatabases, 'all'>): LedgerFlows {
  return {
    async between({ databaseId, writerId, seq: tail }, afterSeq, rowsMax) {
      const database = databases.all.find(({ id }) => id === databaseId);
      if (database === undefined) throw new Error('a tail is of a database that is there');
      const from = afterSeq ?? seqOf({ writerId, batch: 0, place: positionBounds.placeMax });
      const rows = await database.pool.read<Row>(flowsStatement, [from, tail, rowsMax]);
      const [first] = rows;
      const isFull = first !== undefined && first.page_rows >= rowsMax;
      const flows = rows.flatMap(({ program_id: programId, day, kind, role, delta, rows: count }): Flow[] =>
        programId === null ? [] : [{ programId, day, kind, role: roles.get(role) ?? null, delta, rows: count }],
      );
      return { flows, seq: isFull && first.seq !== null ? first.seq : tail, isAll: !isFull };
    },
  };
}
