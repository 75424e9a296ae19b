/**
 * Where the ledger's shards live, and whether each account's rows, and the row that says who owns its shard, are in that
 * database only: two databases that had one account would each be right by itself.
 */
import { type AccountId, shards } from '@local-plus/contracts';
import type { Database } from '../platform/postgres/index.ts';
import { placeOf } from './accounts.ts';
import type { Findings } from './findings.ts';
import type { AuditRow } from './rows.ts';

const placesStatement = 'select shard_id as shard, database_id as "databaseId" from shard_databases order by shard_id';
const ownedStatement = 'select id from shards order by id';

/** Of the tables that are not read row by row: one look at each, for an account of a shard that is not among $1. */
const strayStatement = ['refusals', 'account_states', 'account_dues', 'open_transfers']
  .map(
    (table) => `
(select '${table}' as "table", account_id::text as "accountId" from ${table}
  where get_byte(uuid_send(account_id), 15) <> all ($1::text[]::int[]) order by account_id limit 1)`,
  )
  .join(' union all');

export type Reader = Pick<Database, 'read'>;

/** By database id; the first one says where shards live. */
export type AuditDatabases = ReadonlyMap<number, Reader>;

export class PlacesAudit {
  readonly #databases: AuditDatabases;
  readonly #findings: Findings;
  /** By shard; empty: the ledger has one database. */
  readonly #placed: readonly number[];

  private constructor(databases: AuditDatabases, findings: Findings, placed: readonly number[]) {
    this.#databases = databases;
    this.#findings = findings;
    this.#placed = placed;
  }

  /** Rejects when these are not all of the ledger's databases, or others besides. */
  static async read(databases: AuditDatabases, findings: Findings): Promise<PlacesAudit> {
    const first = databases.get(shards.firstDatabase);
    if (first === undefined) throw new Error('an audit needs the first database');
    const placed: number[] = [];
    const rows = await first.read<{ shard: number; databaseId: number }>(placesStatement);
    for (const { shard, databaseId } of rows) placed[shard] = databaseId;
    const wanted = placed.length === 0 ? [shards.firstDatabase] : [...new Set(placed)].sort((a, b) => a - b);
    const given = [...databases.keys()].sort((a, b) => a - b);
    if (wanted.join() === given.join()) return new PlacesAudit(databases, findings, placed);
    throw new MissingDatabase(`The ledger is in the databases ${wanted.join(', ')}; given were ${given.join(', ')}.`);
  }

  /** The database that has an account. */
  of(accountId: AccountId): Reader {
    return this.#databases.get(this.#idOf(accountId)) as Reader;
  }

  add(row: AuditRow, databaseId: number): void {
    if (this.#placed.length === 0) return;
    this.#findings.looked('places');
    const { accountId } = row.row.facts;
    const expected = this.#idOf(accountId);
    if (expected === databaseId) return;
    this.#findings.wrong('places', placeOf(row), 'is in a database that is not its own', {
      expected,
      found: databaseId,
    });
  }

  /** What no row of `transactions` shows: owners, and what is kept of accounts besides. */
  async check(databaseId: number): Promise<void> {
    if (this.#placed.length === 0) return;
    const database = this.#databases.get(databaseId) as Reader;
    const owned = (await database.read<{ id: number }>(ownedStatement)).map(({ id }) => id);
    const expected = this.#placed.flatMap((id, shard) => (id === databaseId ? [shard] : []));
    this.#findings.looked('places', owned.length);
    if (owned.join() !== expected.join()) {
      const foreign = owned.filter((shard) => this.#placed[shard] !== databaseId);
      const what = `the shards that have owners in database ${databaseId}`;
      const compared = {
        expected: `${expected.length} of its own`,
        found: `${owned.length}, foreign: ${foreign.join()}`,
      };
      this.#findings.wrong('places', {}, what, compared);
    }
    const strays = await database.read<{ table: string; accountId: string }>(strayStatement, [expected.map(String)]);
    for (const { table, accountId } of strays) {
      const compared = { expected: this.#idOf(accountId as AccountId), found: databaseId };
      this.#findings.wrong(
        'places',
        { accountId },
        `has a row of ${table} in a database that is not its own`,
        compared,
      );
    }
  }

  #idOf(accountId: AccountId): number {
    return this.#placed[shards.shardOf(accountId)] ?? shards.firstDatabase;
  }
}

/** What was given is not the whole ledger. */
export class MissingDatabase extends Error {
  override readonly name = 'MissingDatabase';
}
