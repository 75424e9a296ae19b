/**
 * One transaction on a connection of its own, for what the schema is made by: migrations, and placing shards. Requests never
 * come this way.
 *
 * The connection is never quietly replaced: what is run after it was lost would run outside the transaction.
 */
import { openConnection } from './connection.ts';
import { keepalives } from './lone-connection.ts';

export interface TransactionOptions {
  readonly url: string;
  /** Shown in pg_stat_activity. */
  readonly name: string;
  readonly connectMs: number;
}

/** Runs a text without parameters: nothing from outside may be written into it. */
export type Run = (text: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;

/** Committed when `work` resolves; nothing is changed when it rejects, or when the connection is lost before. */
export async function inTransaction<Result>(
  { url, name, connectMs }: TransactionOptions,
  work: (run: Run) => Promise<Result>,
): Promise<Result> {
  let isLost = false;
  const sql = openConnection(
    url,
    {
      prepare: false,
      connect_timeout: connectMs / 1_000,
      // It may hold a lock that everybody waits for: of a host that vanished the server has to hear.
      connection: { application_name: name, ...keepalives },
    },
    () => {
      isLost = true;
    },
  );
  const run: Run = async (text) => {
    if (isLost) throw new Error('the connection was lost: nothing was changed');
    return [...(await sql.unsafe(text))];
  };
  try {
    await run('begin');
    const result = await work(run);
    await run('commit');
    return result;
  } finally {
    await sql.end({ timeout: 1 });
  }
}
