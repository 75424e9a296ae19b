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

/** The customer's row counts, so that the bound holds whoever records at once. */
const insertStatement = `with counted as (
    update customers set consents = consents + 1
    where id = $5::uuid and status = 'active' and consents < ${limits.customerConsentsMax}
      and not exists (select from customer_consents where creator = $1::uuid and idempotency_key = $2)
    returning id
  ) insert into customer_consents
    (creator, idempotency_key, request_hash, id, customer_id, purpose, status, source, at, recorded_at)
  select $1::uuid, $2, decode($3, 'hex'), $4::uuid, id, $6, $7, $8, $9, $10 from counted returning ${columns}`;
const byKeyStatement = `select ${columns} from customer_consents where creator = $1::uuid and idempotency_key = $2`;
const pageStatement = `select ${columns} from customer_consents
  where customer_id in (select customer_family($1::uuid)) and ($2::text is null or purpose = $2)
    and ($3::uuid is null or (at, id) < (select at, id from customer_consents where id = $3::uuid))
  order by at desc, id desc limit $4::int`;

export class ConsentStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /** `conflict`: the customer is not active, or has as many as it can have. */
  record(key: CreationKey, row: Omit<ConsentRow, 'request_hash'>): Promise<Creation<ConsentRow>> {
    const { creator, idempotencyKey, requestHash } = key;
    const { id, customer_id, purpose, status, source, at, recorded_at } = row;
    const values = [creator, idempotencyKey, requestHash, id, customer_id, purpose, status, source, at, recorded_at];
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

  /** Of a customer and everybody who was merged into it, newest first, from behind `after` on. */
  page(
    root: CustomerId,
    purpose: string | null,
    after: string | null,
    rowsMax: number,
  ): Promise<readonly ConsentRow[]> {
    return this.#database.read<ConsentRow>(pageStatement, [root, purpose, after, rowsMax]);
  }
}
