/**
 * The tables `merchants`, `api_keys` and `programs`. SQL only.
 */
import type { ApiKeyId, MerchantId, merchants, ProgramId } from '@local-plus/contracts';
import {
  type Creation,
  type CreationKey,
  createOnce,
  type Database,
  type Parameter,
} from '../platform/postgres/index.ts';
import type { RuleColumns } from './rules.ts';

interface Requested {
  readonly request_hash: string;
}

export interface MerchantRow extends Requested {
  readonly id: MerchantId;
  readonly name: string;
  readonly status: merchants.Merchant['status'];
  readonly created_at: Date;
}

export interface ApiKeyRow extends Requested {
  readonly id: ApiKeyId;
  readonly merchant_id: MerchantId;
  readonly name: string;
  readonly prefix: string;
  readonly digest: string;
  readonly scopes: merchants.Scope[];
  readonly requests_per_minute: number;
  readonly created_at: Date;
  readonly revoked_at: Date | null;
  readonly revocation_key: string | null;
}

export interface ProgramRow extends Requested, RuleColumns {
  readonly id: ProgramId;
  readonly merchant_id: MerchantId;
  readonly name: string;
  readonly unit: string;
  readonly scale: number;
  readonly created_at: Date;
}

const hashColumn = `encode(request_hash, 'hex') as request_hash`;
const merchantColumns = `id, name, status, created_at, ${hashColumn}`;
const apiKeyColumns = `id, merchant_id, name, prefix, encode(key_hash, 'hex') as digest, to_json(scopes) as scopes,
  requests_per_minute, created_at, revoked_at, revocation_key, ${hashColumn}`;
const programColumns = `id, merchant_id, name, unit, scale, point_expiry, point_expiry_end_of_month, reversal_policy,
  reversal_negative_limit, hold_expires_in_s, created_at, ${hashColumn}`;

const insertMerchant = `insert into merchants (creator, idempotency_key, request_hash, id, name)
  values ($1, $2, decode($3, 'hex'), $4, $5) on conflict do nothing returning ${merchantColumns}`;
const insertApiKey = `insert into api_keys
  (creator, idempotency_key, request_hash, id, merchant_id, name, prefix, key_hash, scopes, requests_per_minute)
  values ($1, $2, decode($3, 'hex'), $4, $5, $6, $7, decode($8, 'hex'), $9, $10)
  on conflict do nothing returning ${apiKeyColumns}`;
const insertProgram = `insert into programs
  (creator, idempotency_key, request_hash, id, merchant_id, name, unit, scale, point_expiry, point_expiry_end_of_month,
    reversal_policy, reversal_negative_limit, hold_expires_in_s)
  values ($1, $2, decode($3, 'hex'), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
  on conflict do nothing returning ${programColumns}`;
const programsById = `select ${programColumns} from programs where id = any($1::uuid[])`;
const revokeApiKey = `update api_keys
  set revoked_at = coalesce(revoked_at, now()), revocation_key = coalesce(revocation_key, $3)
  where id = $1 and merchant_id = $2 returning ${apiKeyColumns}`;
const grantStatement = `select k.id as api_key_id, k.merchant_id, to_json(k.scopes) as scopes, k.requests_per_minute
  from api_keys as k join merchants as m on m.id = k.merchant_id
  where k.key_hash = decode($1, 'hex') and k.revoked_at is null and m.status = 'active'`;

export class MerchantStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  createMerchant(key: CreationKey, row: { id: MerchantId; name: string }): Promise<Creation<MerchantRow>> {
    return this.#create('merchants', merchantColumns, key, insertMerchant, [row.id, row.name]);
  }

  async merchant(id: MerchantId): Promise<MerchantRow | null> {
    const statement = `select ${merchantColumns} from merchants where id = $1`;
    return (await this.#database.read<MerchantRow>(statement, [id]))[0] ?? null;
  }

  createApiKey(
    key: CreationKey,
    row: Pick<ApiKeyRow, 'id' | 'merchant_id' | 'name' | 'prefix' | 'digest' | 'requests_per_minute'> & {
      readonly scopes: readonly merchants.Scope[];
    },
  ): Promise<Creation<ApiKeyRow>> {
    const { id, merchant_id, name, prefix, digest, scopes, requests_per_minute } = row;
    return this.#create('api_keys', apiKeyColumns, key, insertApiKey, [
      id,
      merchant_id,
      name,
      prefix,
      digest,
      scopes,
      requests_per_minute,
    ]);
  }

  async apiKey(id: ApiKeyId, merchantId: MerchantId): Promise<ApiKeyRow | null> {
    const statement = `select ${apiKeyColumns} from api_keys where id = $1 and merchant_id = $2`;
    return (await this.#database.read<ApiKeyRow>(statement, [id, merchantId]))[0] ?? null;
  }

  /** Once: a second call changes nothing. null: the merchant has no such key. */
  async revokeApiKey(id: ApiKeyId, merchantId: MerchantId, idempotencyKey: string): Promise<ApiKeyRow | null> {
    return (await this.#database.write<ApiKeyRow>(revokeApiKey, [id, merchantId, idempotencyKey]))[0] ?? null;
  }

  /** What a key allows, by its SHA-256; null when there is none, it is revoked, or its merchant is not active. */
  async grant(digestHex: string): Promise<merchants.KeyGrant | null> {
    return (await this.#database.read<merchants.KeyGrant>(grantStatement, [digestHex]))[0] ?? null;
  }

  createProgram(key: CreationKey, row: Omit<ProgramRow, 'created_at' | 'request_hash'>): Promise<Creation<ProgramRow>> {
    return this.#create('programs', programColumns, key, insertProgram, [
      row.id,
      row.merchant_id,
      row.name,
      row.unit,
      row.scale,
      row.point_expiry,
      row.point_expiry_end_of_month,
      row.reversal_policy,
      row.reversal_negative_limit,
      row.hold_expires_in_s,
    ]);
  }

  async program(id: ProgramId): Promise<ProgramRow | null> {
    return (await this.programs([id]))[0] ?? null;
  }

  /** In the order of `ids`; null for what does not exist. */
  async programs(ids: readonly ProgramId[]): Promise<readonly (ProgramRow | null)[]> {
    const rows = await this.#database.read<ProgramRow>(programsById, [ids]);
    const found = new Map(rows.map((row) => [row.id, row]));
    return ids.map((id) => found.get(id) ?? null);
  }

  #create<Row extends Requested>(
    table: 'merchants' | 'api_keys' | 'programs',
    columns: string,
    key: CreationKey,
    statement: string,
    values: readonly Parameter[],
  ): Promise<Creation<Row>> {
    const { creator, idempotencyKey, requestHash } = key;
    const find = `select ${columns} from ${table} where creator = $1 and idempotency_key = $2`;
    return createOnce(
      key,
      () => this.#database.write<Row>(statement, [creator, idempotencyKey, requestHash, ...values]),
      () => this.#database.read<Row>(find, [creator, idempotencyKey]),
    );
  }
}
