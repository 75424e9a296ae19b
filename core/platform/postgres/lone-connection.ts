/**
 * One connection of its own, made when it is first needed: for work in the background, so that it never stands in a request's
 * way, and for what ends with a connection, like a lock.
 *
 * - C1 every statement ends: the server cancels it first; without any word of it, it is given up.
 * - C2 whatever fails, the connection is given up with it: after a loss the driver may report the old error again. One that ended
 *   is given up, too.
 * - C3 a host that vanishes says no goodbye: the server asks a silent connection whether anybody is there, and ends the session,
 *   and what ends with it, within half a minute. By its own defaults that takes two hours.
 */
import type postgres from 'postgres';
import { endConnection, openConnection } from './connection.ts';

export interface LoneConnectionOptions {
  readonly url: string;
  /** Shown in pg_stat_activity. */
  readonly name: string;
  /** Of the session, by Postgres' names. */
  readonly settings: Readonly<Record<string, string | number>>;
  /** What every failure becomes. */
  readonly failure: (message: string, options: { readonly cause: unknown }) => Error;
  /** The connection ended, whoever ended it. */
  readonly ended?: () => void;
}

const STATEMENT_MS = 10_000;
const REPLY_MS = 12_000;
const CONNECT_S = 3;
const CLOSE_MS = 1_000;

/** C3. Settings of a session. Seconds; the last one, milliseconds, is for words of the server that nobody acknowledges. */
export const keepalives = {
  tcp_keepalives_idle: 10,
  tcp_keepalives_interval: 5,
  tcp_keepalives_count: 3,
  tcp_user_timeout: 25_000,
} as const;

export class LoneConnection {
  readonly #options: LoneConnectionOptions;
  #sql: postgres.Sql | null = null;
  #isOver = false;

  constructor(options: LoneConnectionOptions) {
    this.#options = options;
  }

  async run<Row>(statement: string, parameters: string[]): Promise<readonly Row[]> {
    if (this.#isOver) throw this.#options.failure('Postgres: the connection was ended here', { cause: null });
    this.#sql ??= this.#connect();
    const sql = this.#sql;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no reply within ${REPLY_MS} ms`)), REPLY_MS);
    });
    try {
      return await Promise.race([sql.unsafe<Row[]>(statement, parameters, { prepare: true }), late]);
    } catch (cause) {
      if (this.#sql === sql) await this.close();
      const code = (cause as { code?: string }).code ?? 'no reply';
      throw this.#options.failure(`Postgres: ${code}`, { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Never rejects; the next statement makes a new one. */
  async close(): Promise<void> {
    const sql = this.#sql;
    this.#sql = null;
    this.#options.ended?.();
    if (sql !== null) await endConnection(sql, CLOSE_MS);
  }

  /** For good: every later statement fails, rather than to make a connection that nobody would close. Never rejects. */
  end(): Promise<void> {
    this.#isOver = true;
    return this.close();
  }

  #connect(): postgres.Sql {
    const { url, name, settings } = this.#options;
    const connection = {
      application_name: name,
      statement_timeout: STATEMENT_MS,
      ...keepalives,
      ...settings,
    } as Record<string, string | number>;
    const sql = openConnection(url, { connect_timeout: CONNECT_S, prepare: true, connection }, () => {
      if (this.#sql === sql) void this.close();
    });
    return sql;
  }
}
