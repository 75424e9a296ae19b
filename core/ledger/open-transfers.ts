/**
 * Which transfers across lanes are open, by the index on when they began. SQL, and the batching of closes; the rows are
 * written by the commit statement.
 */
import type { OpenTransfer, PostedRow } from '@local-plus/actors';
import { Batcher } from '../platform/batching/index.ts';
import { ProblemError } from '../platform/http/index.ts';
import type { Database } from '../platform/postgres/index.ts';
import { columns, type Row, rowFrom } from './reads.ts';

/** By the database's clock alone: processes' clocks differ, and an account's time may be ahead of both. */
export const openTransfersStatement = `
select ${columns}, open_ms
from (
    select account_id as open_account_id, version as open_version,
      (extract(epoch from now() - opened_at) * 1000)::bigint as open_ms
    from open_transfers where opened_at <= now() - $1::bigint * interval '1 millisecond'
    order by opened_at limit $2::int
  ) as o,
  lateral (select * from transactions where account_id = open_account_id and version = open_version limit 1) as t
order by open_ms desc`;

export const closeTransfersStatement = `
delete from open_transfers as o using unnest($1::uuid[], $2::text[]) as c(account_id, version)
where o.account_id = c.account_id and o.version = c.version::bigint`;

/** Departures that one statement closes, and that wait for the next one: what is more is left to the sweep. */
const CLOSES_MAX = 500;
const WAITING_MAX = 8_192;

export class OpenTransfers {
  readonly #database: Pick<Database, 'read' | 'write'>;
  readonly #closes: Batcher<PostedRow, undefined>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
    this.#closes = new Batcher<PostedRow, undefined>({
      batchMax: CLOSES_MAX,
      waitingMax: WAITING_MAX,
      run: (rows) => this.#closeAll(rows),
      concernsAll: () => true,
      refusal: () => new ProblemError('overloaded'),
    });
  }

  /** The oldest first. Rejects with what {@link Database.read} does. */
  async find(ageMs: number, transfersMax: number): Promise<readonly OpenTransfer[]> {
    const parameters = [String(ageMs), String(transfersMax)];
    const rows = await this.#database.read<Row & { readonly open_ms: number }>(openTransfersStatement, parameters);
    return rows.map((found) => {
      const row = rowFrom(found);
      return { row, transactionId: row.transactionId, openMs: found.open_ms };
    });
  }

  /** Of nothing: nothing happens. Rejects with what {@link Database.write} does, or when too many wait. */
  close(departure: PostedRow): Promise<undefined> {
    return this.#closes.submit(departure);
  }

  async #closeAll(rows: readonly PostedRow[]): Promise<undefined[]> {
    const accounts = rows.map(({ facts }) => facts.accountId);
    const versions = rows.map(({ posting }) => String(posting.version));
    await this.#database.write(closeTransfersStatement, [accounts, versions]);
    return rows.map(() => undefined);
  }
}
