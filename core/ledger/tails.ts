/**
 * Up to where each writer's rows are committed, for who follows the ledger's tail: a piece of it is read by the index on `seq`, a
 * bounded number of rows at a time.
 *
 * - E1 a writer's batches become visible in their order, so nothing is ever committed below a place of its own that was read.
 */
import { positionBounds, seqOf } from '@local-plus/contracts';
import type { LedgerDatabase, LedgerDatabases } from './databases.ts';

export interface Tail {
  readonly databaseId: number;
  readonly writerId: number;
  /** The decimal text of a `bigint`. */
  readonly seq: string;
}

const tailsStatement = 'select id, batch from writers where batch > 0 order by id';

/** Below every row of a writer. */
export function beginningOf(writerId: number): string {
  return seqOf({ writerId, batch: 0, place: positionBounds.placeMax });
}

/** Of all writers of all databases that have ever written. */
export async function readTails(databases: Pick<LedgerDatabases, 'all'>): Promise<readonly Tail[]> {
  const tails = await Promise.all(databases.all.map(tailsIn));
  return tails.flat();
}

async function tailsIn({ id: databaseId, pool }: LedgerDatabase): Promise<Tail[]> {
  const rows = await pool.read<{ readonly id: number; readonly batch: number }>(tailsStatement);
  return rows.map(({ id: writerId, batch }) => {
    return { databaseId, writerId, seq: seqOf({ writerId, batch, place: positionBounds.placeMax }) };
  });
}

/** What a statement says of the page that it read: its last place, and how many rows it had. */
export interface PageEnd {
  readonly seq: string | null;
  readonly rows: number;
}

/**
 * From behind `afterSeq` (null: the beginning) up to the tail.
 *
 * @param statement of the parameters from, to, rows at most; each of its rows has {@link PageEnd}, and there is one at least
 */
export async function readPiece<Row extends PageEnd>(
  databases: Pick<LedgerDatabases, 'all'>,
  statement: string,
  { databaseId, writerId, seq: tail }: Tail,
  afterSeq: string | null,
  rowsMax: number,
): Promise<{ readonly rows: readonly Row[]; readonly seq: string; readonly isAll: boolean }> {
  const database = databases.all.find(({ id }) => id === databaseId);
  if (database === undefined) throw new Error('a tail is of a database that is there');
  const rows = await database.pool.read<Row>(statement, [afterSeq ?? beginningOf(writerId), tail, rowsMax]);
  const [first] = rows;
  // E1: a page that is not full has seen all up to the tail, also where batches have only refusals.
  const isFull = first !== undefined && first.rows >= rowsMax;
  return { rows, seq: isFull && first.seq !== null ? first.seq : tail, isAll: !isFull };
}
