/** What a test opens on its database beside core: clients and pools, ended together when the database is. */
import postgres from 'postgres';
import { createDatabase, type Database, type DatabaseOptions } from '../platform/postgres/index.ts';
import { quiet } from './log.ts';

const poolDefaults = {
  name: 'test',
  connectionsMax: 2,
  connectMs: 3_000,
  statementMs: 5_000,
  statementGraceMs: 2_000,
  log: quiet,
};

export class Connections {
  readonly #url: string;
  readonly #clients: postgres.Sql[] = [];
  readonly #pools: Database[] = [];

  constructor(url: string) {
    this.#url = url;
  }

  /** For what the test reads and prepares itself: one connection unless it needs more. */
  sql(connectionsMax = 1): postgres.Sql {
    const sql = postgres(this.#url, { max: connectionsMax, onnotice: () => undefined });
    this.#clients.push(sql);
    return sql;
  }

  /** As a module is given it: two connections, unless the test needs more. */
  pool(bounds: Partial<DatabaseOptions> = {}): Database {
    const pool = createDatabase({ ...poolDefaults, url: this.#url, ...bounds });
    this.#pools.push(pool);
    return pool;
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.close(1_000)));
    await Promise.all(this.#clients.map((sql) => sql.end({ timeout: 1 })));
  }
}
