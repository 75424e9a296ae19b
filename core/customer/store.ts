/**
 * The tables `customers`, `customer_contacts`, `customer_keys` and `customer_changes`. SQL only; every change is one statement,
 * with its event, and, unless it creates, with its audit entry. What is personal comes and goes encrypted.
 *
 * That somebody becomes a customer, or consents, is his or her own act and no administration: the row itself says when, and a
 * consent where.
 */
import { type CustomerId, limits, type MerchantId } from '@local-plus/contracts';
import { audited, recordEntry } from '../audit/index.ts';
import { announce } from '../outbox/index.ts';
import { type CreationKey, type Database, type Parameter, UniqueViolation } from '../platform/postgres/index.ts';
import type { CustomerRow } from './domain.ts';
import type { WrappedKey } from './vault.ts';

/** Whose request it is: the calling merchant, or the operator. */
export type RequestName = Omit<CreationKey, 'requestHash'>;

/** A customer with what is encrypted of it; all of it null: erased. */
export interface SealedRow extends CustomerRow {
  readonly key_id: string | null;
  readonly wrapped: string | null;
  readonly sealed: string | null;
}

/** `request_hash` null: it was destroyed with the customer's key. */
export interface CreatedRow extends SealedRow {
  readonly request_hash: string | null;
}

export interface EarlierChange {
  readonly request_hash: string | null;
  readonly customer_id: CustomerId;
  readonly kind: 'update' | 'merge' | 'erase';
  readonly version: number;
  readonly changed_at: Date;
}

/** By `newEvent`, and by `auditEntry`. */
export interface Told {
  readonly event: string;
  readonly audit: string;
}

/** `none`: the key is used, or it is not as expected any more. `external_id_taken`: or the key was used at the same moment. */
export type Changed = CustomerRow | 'none' | 'external_id_taken';

const columns = 'id, merchant_id, external_id, status, version, merges, created_at, updated_at';
/** Of rows that are nobody else. */
const ownColumns = `${columns}, id as root_id`;
const foundColumns = `c.${columns.replaceAll(', ', ', c.')},
  case when c.merged_into is null then c.id else customer_root(c.id) end as root_id`;
const sealedColumns = `${foundColumns}, k.key_id, encode(k.wrapped, 'base64') as wrapped,
  encode(s.sealed, 'base64') as sealed`;
const sealedTables = `customers as c left join customer_keys as k on k.customer_id = c.id
  left join customer_contacts as s on s.customer_id = c.id`;

const unused = 'not exists (select from customer_changes where creator = $1::uuid and idempotency_key = $2)';

const createStatement = `with written as (
    insert into customers (creator, idempotency_key, request_hash, id, merchant_id, external_id, created_at, updated_at)
    values ($1::uuid, $2, decode($3, 'hex'), $4::uuid, $5::uuid, $6, $7, $7)
    on conflict do nothing returning ${ownColumns}
  ), keyed as (
    insert into customer_keys (customer_id, key_id, wrapped) select id, $8, decode($9, 'base64') from written
  ), sealed as (
    insert into customer_contacts (customer_id, sealed) select id, decode($10, 'base64') from written
  ), ${announce(11, 'written')}
  select * from written`;

const updateStatement = `with changed as (
    update customers set external_id = $6, version = version + 1, updated_at = $7
    where id = $4::uuid and status = 'active' and version = $5::bigint and ${unused}
    returning ${ownColumns}
  ), sealed as (
    update customer_contacts set sealed = decode($8, 'base64') from changed where customer_id = changed.id
  ), ${noted('update', 'changed.id')}, ${announce(9, 'changed')}, ${audited(10, 'changed')}
  select * from changed`;

/** Both rows are locked first, in one order for everybody; then neither becomes anything else. */
const mergeStatement = `with pair as (
    select id, merges, version from customers
    where id in ($4::uuid, $5::uuid) and merchant_id = $8::uuid and status = 'active' order by id for no key update
  ), allowed as (
    select gone.merges + 1 as more from pair as stays, pair as gone
    where stays.id = $4::uuid and gone.id = $5::uuid and gone.version = $6::bigint
      and stays.merges + gone.merges < ${limits.customerMergesMax} and ${unused}
  ), changed as (
    update customers set status = 'merged', merged_into = $4::uuid, version = version + 1, updated_at = $7
    from allowed where id = $5::uuid returning ${columns}, $4::uuid as root_id
  ), absorbed as (
    update customers set merges = merges + more from allowed where id = $4::uuid
  ), ${noted('merge', '$4::uuid')}, ${announce(9, 'changed')}, ${audited(10, 'changed')}
  select * from changed`;

/** Who is merged into a customer is counted in its row: so with that count the family is the one that was read. */
const eraseStatement = `with changed as (
    update customers
    set status = 'erased', external_id = null, request_hash = null, version = version + 1, updated_at = $7
    where id = $4::uuid and status = 'active' and version = $5::bigint and merges = $6::int and ${unused}
    returning ${ownColumns}
  ), others as (
    update customers
    set status = 'erased', external_id = null, request_hash = null, version = customers.version + 1, updated_at = $7
    from changed where customers.id = any($8::uuid[]) and customers.id <> changed.id
  ), keys as (
    delete from customer_keys using changed where customer_id = any($8::uuid[])
  ), contacts as (
    delete from customer_contacts using changed where customer_id = any($8::uuid[])
  ), hashes as (
    update customer_changes set request_hash = null from changed
    where customer_id = any($8::uuid[]) and kind = 'update'
  ), ${noted('erase', 'changed.id')}, ${announce(9, 'changed')}, ${audited(10, 'changed')}
  select * from changed`;

function noted(kind: EarlierChange['kind'], customerId: string): string {
  return `noted as (
    insert into customer_changes (creator, idempotency_key, request_hash, customer_id, kind, version, changed_at)
    select $1::uuid, $2, decode($3, 'hex'), ${customerId}, '${kind}', version, $7 from changed)`;
}

const createdStatement = `select ${sealedColumns}, encode(c.request_hash, 'hex') as request_hash from ${sealedTables}
  where c.creator = $1::uuid and c.idempotency_key = $2`;
const earlierStatement = `select encode(request_hash, 'hex') as request_hash, customer_id, kind, version, changed_at
  from customer_changes where creator = $1::uuid and idempotency_key = $2`;
const byIdStatement = `select ${sealedColumns} from ${sealedTables} where c.id = $1::uuid`;
const familyStatement = `select ${sealedColumns} from ${sealedTables}
  where c.id in (select customer_family($1::uuid)) order by c.id`;
const byExternalIdStatement = `select ${foundColumns} from customers as c where c.merchant_id = $1::uuid and c.external_id = $2`;
const pageStatement = `select ${foundColumns} from customers as c
  where c.merchant_id = $1::uuid and ($2::uuid is null or c.id < $2::uuid) order by c.id desc limit $3::int`;

const olderKeysStatement = `select customer_id, key_id, encode(wrapped, 'base64') as wrapped from customer_keys
  where key_id = any($1::text[]) limit $2::int`;
const rewrapStatement = `update customer_keys set key_id = $3, wrapped = decode($4, 'base64')
  where customer_id = $1::uuid and key_id = $2`;

export class CustomerStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /** null: the key is used, or the external id is taken. */
  async create(
    { creator, idempotencyKey }: RequestName,
    row: Pick<CustomerRow, 'id' | 'merchant_id' | 'external_id' | 'created_at'> & { readonly requestHash: string },
    secret: WrappedKey & { readonly sealed: string },
    event: string,
  ): Promise<CustomerRow | null> {
    const { requestHash, id, merchant_id, external_id, created_at } = row;
    const named = [creator, idempotencyKey, requestHash, id, merchant_id, external_id, created_at];
    const parameters = [...named, secret.key_id, secret.wrapped, secret.sealed, event];
    return (await this.#database.write<CustomerRow>(createStatement, parameters))[0] ?? null;
  }

  async created({ creator, idempotencyKey }: RequestName): Promise<CreatedRow | null> {
    return (await this.#database.read<CreatedRow>(createdStatement, [creator, idempotencyKey]))[0] ?? null;
  }

  update(
    name: RequestName,
    requestHash: string,
    wanted: Pick<CustomerRow, 'id' | 'version' | 'external_id'> & { readonly sealed: string; readonly at: Date },
    { event, audit }: Told,
  ): Promise<Changed> {
    const { id, version, external_id, sealed, at } = wanted;
    const values = [id, String(version), external_id, at, sealed, event, audit];
    return this.#change(updateStatement, name, requestHash, values);
  }

  /** @param gone as it was read: of another version it is not merged */
  merge(
    name: RequestName,
    requestHash: string,
    stays: CustomerId,
    gone: Pick<CustomerRow, 'id' | 'version' | 'merchant_id'>,
    at: Date,
    { event, audit }: Told,
  ): Promise<Changed> {
    const values = [stays, gone.id, String(gone.version), at, gone.merchant_id, event, audit];
    return this.#change(mergeStatement, name, requestHash, values);
  }

  /** @param root as it was read, with its `family`: if anybody else was merged into it since, nobody is erased */
  erase(
    name: RequestName,
    requestHash: string,
    root: Pick<CustomerRow, 'id' | 'version' | 'merges'>,
    family: readonly CustomerId[],
    at: Date,
    { event, audit }: Told,
  ): Promise<Changed> {
    const values = [root.id, String(root.version), root.merges, at, family, event, audit];
    return this.#change(eraseStatement, name, requestHash, values);
  }

  async earlier({ creator, idempotencyKey }: RequestName): Promise<EarlierChange | null> {
    return (await this.#database.read<EarlierChange>(earlierStatement, [creator, idempotencyKey]))[0] ?? null;
  }

  async customer(id: CustomerId): Promise<SealedRow | null> {
    return (await this.#database.read<SealedRow>(byIdStatement, [id]))[0] ?? null;
  }

  /** It, and everybody who was merged into it, as of one moment. */
  family(root: CustomerId): Promise<readonly SealedRow[]> {
    return this.#database.read<SealedRow>(familyStatement, [root]);
  }

  byExternalId(merchantId: MerchantId, externalId: string): Promise<readonly CustomerRow[]> {
    return this.#database.read<CustomerRow>(byExternalIdStatement, [merchantId, externalId]);
  }

  /** Newest first. */
  page(merchantId: MerchantId, after: CustomerId | null, rowsMax: number): Promise<readonly CustomerRow[]> {
    return this.#database.read<CustomerRow>(pageStatement, [merchantId, after, rowsMax]);
  }

  /** An entry of the audit trail, of what changes nothing. */
  record(entry: string): Promise<void> {
    return recordEntry(this.#database, entry);
  }

  /** Keys that are wrapped by one of these. */
  wrappedBy(
    keyIds: readonly string[],
    rowsMax: number,
  ): Promise<readonly (WrappedKey & { readonly customer_id: CustomerId })[]> {
    return this.#database.read(olderKeysStatement, [keyIds, rowsMax]);
  }

  /** Nothing happens to a key that is destroyed meanwhile, or wrapped anew. */
  async rewrap(customerId: CustomerId, before: WrappedKey, { key_id, wrapped }: WrappedKey): Promise<void> {
    await this.#database.write(rewrapStatement, [customerId, before.key_id, key_id, wrapped]);
  }

  async #change(
    statement: string,
    { creator, idempotencyKey }: RequestName,
    requestHash: string,
    values: readonly Parameter[],
  ): Promise<Changed> {
    try {
      const parameters = [creator, idempotencyKey, requestHash, ...values];
      return (await this.#database.write<CustomerRow>(statement, parameters))[0] ?? 'none';
    } catch (error) {
      if (!(error instanceof UniqueViolation)) throw error;
      return error.constraint === 'customers_external_id' ? 'external_id_taken' : 'none';
    }
  }
}
