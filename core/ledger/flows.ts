/**
 * What the ledger's rows add up to, by program, UTC day and kind: for who reports sums. Read along each writer's tail: each row is
 * read once, and no index is there for it.
 *
 * By E1 of tails.ts nothing is ever committed below a place of a writer's own that was read. So sums of what
 * stands between two places never change, and a row that comes late is in a later piece, under its own day.
 */
import type { TransactionKind } from '@local-plus/actors';
import { type ProgramAccountRole, type ProgramId, programAccountRoles } from '@local-plus/contracts';
import type { LedgerDatabases } from './databases.ts';
import { type PageEnd, readPiece, type Tail } from './tails.ts';

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
  between(tail: Tail, afterSeq: string | null, rowsMax: number): Promise<Flows>;
}

/** Grouped by what stands in the rows; only groups are made into texts. */
const flowsStatement = `with page as materialized (
    select seq, program_id, occurred_at, kind, contra_account_id, balance_delta from transactions
    where seq > $1::text::bigint and seq <= $2::text::bigint order by seq limit $3::int
  )
  select read.seq, read.rows, flow.program_id, flow.day, flow.kind, flow.role, flow.delta, flow.count
  from (select max(seq)::text as seq, count(*)::int as rows from page) as read
  left join (
    select program_id, day::text as day, kind::text as kind, get_byte(uuid_send(contra_account_id), 15) as role,
      delta::text as delta, count
    from (
      select program_id, (occurred_at at time zone 'UTC')::date as day, kind, contra_account_id,
        sum(balance_delta) as delta, count(*)::int as count
      from page group by 1, 2, 3, 4
    ) as grouped
  ) as flow on true`;

interface Row extends PageEnd {
  readonly program_id: ProgramId | null;
  readonly day: string;
  readonly kind: TransactionKind;
  readonly role: number;
  readonly delta: string;
  readonly count: number;
}

const roles = new Map(
  (Object.entries(programAccountRoles) as [ProgramAccountRole, number][]).map(([role, byte]) => [byte, role]),
);

export function ledgerFlows(databases: Pick<LedgerDatabases, 'all'>): LedgerFlows {
  return {
    async between(tail, afterSeq, rowsMax) {
      const { rows, seq, isAll } = await readPiece<Row>(databases, flowsStatement, tail, afterSeq, rowsMax);
      const flows = rows.flatMap(({ program_id: programId, day, kind, role, delta, count }): Flow[] =>
        programId === null ? [] : [{ programId, day, kind, role: roles.get(role) ?? null, delta, rows: count }],
      );
      return { flows, seq, isAll };
    },
  };
}
