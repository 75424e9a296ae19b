/**
 * The table `payment_rates`: at which rate points of a program pay in a currency. SQL only. Versions are added, never changed:
 * each is in force from its creation until the next one of its currency.
 */
import { limits, type ProgramId } from '@local-plus/contracts';
import { audited } from '../audit/index.ts';
import { type Creation, type CreationKey, createOnce, type Database } from '../platform/postgres/index.ts';
import type { Rate } from './domain.ts';

export interface RateRow {
  readonly program_id: ProgramId;
  readonly version: number;
  readonly currency: string;
  /** null, both: nothing is paid in the currency. */
  readonly points: number | null;
  readonly amount: number | null;
  readonly created_at: Date;
  readonly request_hash: string;
}

export type NewRate = Pick<RateRow, 'program_id' | 'currency' | 'points' | 'amount'>;

const columns = `program_id, version, currency, points, amount, created_at, encode(request_hash, 'hex') as request_hash`;

/** Nothing is inserted where the key is used, or another request took the number: which of the two, the key tells. */
const createStatement = `with next as (
    select coalesce(max(version), 0) + 1 as version from payment_rates where program_id = $4::uuid
  ), written as (
    insert into payment_rates (creator, idempotency_key, request_hash, program_id, version, currency, points, amount)
    select $1::uuid, $2, decode($3, 'hex'), $4::uuid, version, $5, $6::bigint, $7::bigint
    from next where version <= ${limits.paymentRatesMax}
    on conflict do nothing returning ${columns}
  ), ${audited(8, 'written')} select * from written`;

const byKeyStatement = `select ${columns} from payment_rates where creator = $1::uuid and idempotency_key = $2`;
const pageStatement = `select ${columns} from payment_rates where program_id = $1::uuid and version <= $2::int
  order by version desc limit $3::int`;
const inForceStatement = `select ${columns} from payment_rates where program_id = $1::uuid and currency = $2
  order by version desc limit 1`;
/** Of each currency the newest one before a moment: one index probe per currency. */
const allInForceStatement = `
with recursive currencies(currency) as (
  select min(currency) from payment_rates where program_id = $1::uuid
  union all
  select (select min(currency) from payment_rates where program_id = $1::uuid and currency > c.currency)
  from currencies as c where c.currency is not null
)
select r.* from currencies as c, lateral (
  select ${columns} from payment_rates
  where program_id = $1::uuid and currency = c.currency and created_at < $2 order by version desc limit 1
) as r where r.points is not null order by currency`;

export class RateStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /**
   * `conflict`: another request took the number at the same moment, or there are no numbers left.
   *
   * @param entry of the audit trail
   */
  create(key: CreationKey, wanted: NewRate, entry: string): Promise<Creation<RateRow>> {
    const { creator, idempotencyKey, requestHash } = key;
    const { program_id, currency, points, amount } = wanted;
    const parameters = [creator, idempotencyKey, requestHash, program_id, currency, points, amount, entry];
    return createOnce(
      key,
      () => this.#database.write<RateRow>(createStatement, parameters),
      () => this.#database.read<RateRow>(byKeyStatement, [creator, idempotencyKey]),
    );
  }

  /** The newest one of the currency; null: none was ever set. */
  async newest(programId: ProgramId, currency: string): Promise<RateRow | null> {
    return (await this.#database.read<RateRow>(inForceStatement, [programId, currency]))[0] ?? null;
  }

  /** At which the program's points pay now; null: they do not. */
  async inForce(programId: ProgramId, currency: string): Promise<Rate | null> {
    const row = await this.newest(programId, currency);
    return row === null ? null : rateOf(row);
  }

  /** All that were in force just before a moment. */
  async before(programId: ProgramId, moment: Date): Promise<readonly (Rate & { readonly currency: string })[]> {
    const rows = await this.#database.read<RateRow>(allInForceStatement, [programId, moment]);
    return rows.flatMap((row) => {
      const rate = rateOf(row);
      return rate === null ? [] : [{ ...rate, currency: row.currency }];
    });
  }

  /** Newest first, from that version down. */
  page(programId: ProgramId, versionMax: number, rowsMax: number): Promise<readonly RateRow[]> {
    return this.#database.read<RateRow>(pageStatement, [programId, versionMax, rowsMax]);
  }
}

export function rateOf({ version, points, amount }: RateRow): Rate | null {
  return points === null || amount === null ? null : { version, points, amount };
}
