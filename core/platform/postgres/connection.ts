/**
 * One connection of the driver, never used again once it has ended.
 *
 * Between the error of a socket and its close the driver still takes statements. It neither sends nor refuses them: the connection
 * that it would make next would answer them, with no rows, or with those of another statement. So when a connection ends, whatever
 * the driver still has of it is rejected, and whoever wants to go on opens a new one.
 */
import postgres from 'postgres';

export type ConnectionOptions = Omit<
  postgres.Options<Record<string, postgres.PostgresType>>,
  'max' | 'idle_timeout' | 'max_lifetime' | 'fetch_types' | 'onclose' | 'onnotice' | 'onparameter'
>;

const CLOSE_MS = 1_000;

/**
 * The driver connects with the first statement, and again with the next one as long as it could not.
 *
 * @param ended it was connected, and is not any more, whoever ended it; perhaps told more than once
 */
export function openConnection(url: string, options: ConnectionOptions, ended: () => void): postgres.Sql {
  let wasConnected = false;
  const sql: postgres.Sql = postgres(url, {
    ...options,
    max: 1,
    idle_timeout: 0,
    max_lifetime: null,
    fetch_types: false,
    onnotice: () => undefined,
    // The server tells its settings when it has let somebody in.
    onparameter: () => {
      wasConnected = true;
    },
    onclose: () => {
      if (!wasConnected) return;
      ended();
      void endConnection(sql, CLOSE_MS);
    },
  });
  return sql;
}

/** A dead peer may never acknowledge the close: the connection is then left to the kernel's own time-outs. */
export async function endConnection(sql: postgres.Sql, graceMs: number): Promise<void> {
  await Promise.race([sql.end({ timeout: 0 }), new Promise((resolve) => setTimeout(resolve, graceMs).unref())]);
}
