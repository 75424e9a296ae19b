/**
 * The table `customer_consents`, which is only ever added to. SQL only.
 */
import { type CustomerId, type customers, limits } from '@local-plus/contracts';
import {
  type Creation,
  type CreationKey,
  createOnce,
  type Database,
  UniqueViolation,
} from '../platform/postgres/index.ts';

export interface ConsentRow {
  readonly id: string;
  /** Under which id it was recorded. */
  readonly customer_id: CustomerId;
  readonly purpose: string;
  readonly status: customers.Consent['status'];
  readonly source: string;
  readonly at: Date;
  readonly recorded_at: Date;
  readonly request_hash: string;
}

const columns = `id, customer_id, purpose, status, source, at, recorded_at, encode(request_hash, 'hex') as request_hash`;

/**
 * The time is the database's, which is one for all processes; what is said now is said after all that is known of its purpose,
 * whichever clock that went by. The customer's row counts, so that the bound holds whoever records at once. Past the bound what
 * is granted can still be withdrawn: as nothing can be granted any more, that is once for a purpose.
 */
const insertStatement = `with last as (
    select status, at from customer_consents
    where customer_id in (select customer_family($5::uuid)) and purpose = $6
    order by at desc, place desc limit 1
  ), told as (
    select case when $9::timestamptz < now then $9::timestamptz else greatest(now, (select at from last)) end as at, now
    from (select date_trunc('milliseconds', now()) as now) as clock
  ), counted as (
    update customers set consents = consents + 1 from told
    where id = $5::uuid and status = 'active'
      and (consents < ${limits.customerConsentsMax}
        or $7 = 'withdrawn' and exists (select from last where last.status = 'granted' and last.at <= told.at))
      and not exists (select from customer_consents where creator = $1::uuid and idempotency_key = $2)
    returning id, told.at, told.now
  ) insert into customer_consents
    (creator, idempotency_key, request_hash, id, customer_id, purpose, status, source, at, recorded_at)
  select $1::uuid, $2, decode($3, 'hex'), $4::uuid, id, $6, $7, $8, at, now from counted returning ${columns}`;
const byKeyStatement = `select ${columns} from customer_consents where creator = $1::uuid and idempotency_key = $2`;
const pageStatement = `select ${columns} from customer_consents
  where customer_id in (select customer_family($1::uuid)) and ($2::text is null or purpose = $2)
    and ($3::uuid is null or (at, place) < (
      select at, place from customer_consents
      where id = $3::uuid and customer_id in (select customer_family($1::uuid))))
  order by at desc, place desc limit $4::int`;
const isOfStatement = `select from customer_consents
  where id = $2::uuid and customer_id in (select customer_family($1::uuid))`;

export interface NewConsent extends Pick<ConsentRow, 'id' | 'customer_id' | 'purpose' | 'status' | 'source'> {
  /** null: now, and so is what is still to come. */
  readonly at: Date | null;
}

export class ConsentStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /** `conflict`: the customer is not active, or has as many as it can have. */
  record(key: CreationKey, row: NewConsent): Promise<Creation<ConsentRow>> {
    const { creator, idempotencyKey, requestHash } = key;
    const { id, customer_id, purpose, status, source, at } = row;
    const values = [creator, idempotencyKey, requestHash, id, customer_id, purpose, status, source, at];
    return createOnce(
      key,
      async () => {
        try {
          return await this.#database.write<ConsentRow>(insertStatement, values);
        } catch (error) {
          // The same key, at the same moment.
          if (error instanceof UniqueViolation) return [];
          throw error;
        }
      },
      () => this.#database.read<ConsentRow>(byKeyStatement, [creator, idempotencyKey]),
    );
  }

  /** Whether a consent is this customer's, or of somebody who was merged into it. */
  async isOf(root: CustomerId, id: string): Promise<boolean> {
    return (await this.#database.read(isOfStatement, [root, id])).length > 0;
  }

  /** Of a customer and everybody who was merged into it, newest first, from behind `after` on: nothing behind another's. */
  page(
    root: CustomerId,
    purpose: string | null,
    after: string | null,
    rowsMax: number,
  ): Promise<readonly ConsentRow[]> {
    return this.#database.read<ConsentRow>(pageStatement, [root, purpose, after, rowsMax]);
  }
}
