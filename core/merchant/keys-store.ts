/** The table `api_keys`. SQL only. */
import type { ApiKeyId, MerchantId, merchants } from '@local-plus/contracts';
import { audited } from '../audit/index.ts';
import { type Creation, type CreationKey, createOnce, type Database } from '../platform/postgres/index.ts';

export interface ApiKeyRow {
  readonly id: ApiKeyId;
  readonly merchant_id: MerchantId;
  readonly name: string;
  readonly prefix: string;
  readonly digest: string;
  readonly scopes: merchants.Scope[];
  readonly requests_per_minute: number;
  readonly burst: number | null;
  readonly requests_per_month: number | null;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly last_used_at: Date | null;
  readonly rotated_from: ApiKeyId | null;
  readonly revoked_at: Date | null;
  readonly revocation_key: string | null;
  /** Neither revoked nor expired when it was read. */
  readonly is_alive: boolean;
  readonly request_hash: string;
}

export type NewApiKeyRow = Pick<
  ApiKeyRow,
  | 'id'
  | 'merchant_id'
  | 'name'
  | 'prefix'
  | 'digest'
  | 'requests_per_minute'
  | 'burst'
  | 'requests_per_month'
  | 'expires_at'
> & { readonly scopes: readonly merchants.Scope[] };

/** What takes the place of a key: all else is the key's. */
export interface Successor extends Pick<ApiKeyRow, 'id' | 'prefix' | 'digest' | 'expires_at'> {
  readonly overlapS: number;
}

/** What is kept of a key's grant; its merchant's part is kept by itself. */
export type KeyFacts = Omit<merchants.KeyGrant, 'tenant'>;

const isAlive = `revoked_at is null and (expires_at is null or expires_at > now())`;
const columns = `id, merchant_id, name, prefix, encode(key_hash, 'hex') as digest, to_json(scopes) as scopes,
  requests_per_minute, burst, requests_per_month::float8 as requests_per_month, created_at, expires_at, last_used_at,
  rotated_from, revoked_at, revocation_key, ${isAlive} as is_alive, encode(request_hash, 'hex') as request_hash`;
const inserted = `(creator, idempotency_key, request_hash, id, merchant_id, name, prefix, key_hash, scopes,
  requests_per_minute, burst, requests_per_month, expires_at, rotated_from)`;

const insert = `with written as (
    insert into api_keys ${inserted}
    select $1::uuid, $2, decode($3, 'hex'), $4::uuid, $5::uuid, $6, $7, decode($8, 'hex'), $9::text[], $10::int, $11::int,
      $12::bigint, $13::timestamptz, null
    where $13::timestamptz is null or $13::timestamptz > now()
    on conflict do nothing returning ${columns}
  ), ${audited(14, 'written')} select * from written`;
/**
 * The old key's row is locked first: who revokes it meanwhile goes before or after. It has to end when it did as it was read, to
 * the millisecond that a read shows, which is what its entry in the trail tells.
 */
const rotate = `with old as (
    select * from api_keys where id = $4::uuid and merchant_id = $5::uuid and ${isAlive}
      and date_trunc('milliseconds', expires_at) is not distinct from $12::timestamptz for update
  ), written as (
    insert into api_keys ${inserted}
    select $1::uuid, $2, decode($3, 'hex'), $6::uuid, merchant_id, name, $7, decode($8, 'hex'), scopes, requests_per_minute,
      burst, requests_per_month, $9::timestamptz, id
    from old where $9::timestamptz is null or $9::timestamptz > now()
    on conflict do nothing returning ${columns}
  ), ended as (
    update api_keys as k set expires_at = least(k.expires_at, now() + $10::int * interval '1 second')
    from written where k.id = $4::uuid
  ), ${audited(11, 'written')} select * from written`;
const byKey = `select ${columns} from api_keys where creator = $1 and idempotency_key = $2`;
const one = `select ${columns} from api_keys where id = $1 and merchant_id = $2`;
const page = `select ${columns} from api_keys
  where merchant_id = $1 and ($2::uuid is null or id < $2::uuid) order by id desc limit $3`;
const revoke = `with revoked as (
    update api_keys set revoked_at = now(), revocation_key = $3
    where id = $1 and merchant_id = $2 and revoked_at is null returning ${columns}
  ), ${audited(4, 'revoked')} select * from revoked`;
const grant = `select id as api_key_id, merchant_id, to_json(scopes) as scopes, requests_per_minute, burst,
    requests_per_month::float8 as requests_per_month, (extract(epoch from expires_at) * 1000)::bigint as expires_at_ms
  from api_keys where key_hash = decode($1, 'hex') and ${isAlive}`;
/** All rows are locked first, in one order for everybody. A key that is revoked changes no more. */
const used = `with held as materialized (
    select k.id, u.at from api_keys as k
      join (select id::uuid as id, at::timestamptz as at from unnest($1::text[], $2::text[]) as u(id, at)) as u on k.id = u.id
    where k.revoked_at is null and (k.last_used_at is null or k.last_used_at < u.at)
    order by k.id for no key update of k
  ) update api_keys as k set last_used_at = held.at from held where k.id = held.id`;

export class KeyStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /** `conflict`: it would have expired already. */
  create(key: CreationKey, row: NewApiKeyRow, entry: string): Promise<Creation<ApiKeyRow>> {
    const { id, merchant_id, name, prefix, digest, scopes, requests_per_minute, burst, requests_per_month } = row;
    const plan = [requests_per_minute, burst, requests_per_month];
    return this.#create(key, insert, [id, merchant_id, name, prefix, digest, scopes, ...plan, row.expires_at, entry]);
  }

  /** `conflict`: the key has ended, or ends at another time than was read, or its successor would have expired already. */
  rotate(
    key: CreationKey,
    old: Pick<ApiKeyRow, 'id' | 'merchant_id' | 'expires_at'>,
    successor: Successor,
    entry: string,
  ): Promise<Creation<ApiKeyRow>> {
    const { id, prefix, digest, expires_at, overlapS } = successor;
    const values = [old.id, old.merchant_id, id, prefix, digest, expires_at, overlapS, entry, old.expires_at];
    return this.#create(key, rotate, values);
  }

  async key(id: ApiKeyId, merchantId: MerchantId): Promise<ApiKeyRow | null> {
    return (await this.#database.read<ApiKeyRow>(one, [id, merchantId]))[0] ?? null;
  }

  /** Newest first, before an id. */
  keys(merchantId: MerchantId, before: ApiKeyId | null, rowsMax: number): Promise<readonly ApiKeyRow[]> {
    return this.#database.read<ApiKeyRow>(page, [merchantId, before, rowsMax]);
  }

  /** null: the merchant has no such key that is not revoked. */
  async revoke(id: ApiKeyId, merchantId: MerchantId, idempotencyKey: string, entry: string): Promise<ApiKeyRow | null> {
    return (await this.#database.write<ApiKeyRow>(revoke, [id, merchantId, idempotencyKey, entry]))[0] ?? null;
  }

  /** What a key allows, by its SHA-256, whatever its merchant's state; null: there is none, or it is revoked, or expired. */
  async grant(digestHex: string): Promise<KeyFacts | null> {
    return (await this.#database.read<KeyFacts>(grant, [digestHex]))[0] ?? null;
  }

  /** When keys were used last; never back in time, and nothing of keys that are revoked. */
  async used(moments: ReadonlyMap<string, number>): Promise<void> {
    const times = [...moments.values()].map((ms) => new Date(ms).toISOString());
    await this.#database.write(used, [[...moments.keys()], times]);
  }

  #create(
    key: CreationKey,
    statement: string,
    values: Parameters<Database['write']>[1] & object,
  ): Promise<Creation<ApiKeyRow>> {
    const { creator, idempotencyKey, requestHash } = key;
    return createOnce(
      key,
      () => this.#database.write<ApiKeyRow>(statement, [creator, idempotencyKey, requestHash, ...values]),
      () => this.#database.read<ApiKeyRow>(byKey, [creator, idempotencyKey]),
    );
  }
}
