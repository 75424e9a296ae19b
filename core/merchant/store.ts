/**
 * The tables `merchants`, `merchant_changes`, `api_keys` and `programs`. SQL only.
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

export interface MerchantRow extends Requested, merchants.MerchantPlan {
  readonly id: MerchantId;
  readonly name: string;
  readonly status: merchants.Merchant['status'];
  readonly allowed_origins: string[];
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
  readonly burst: number | null;
  readonly requests_per_month: number | null;
  readonly created_at: Date;
  readonly revoked_at: Date | null;
  readonly revocation_key: string | null;
}

/** What a change of a merchant sets. */
export type MerchantChange =
  | { readonly kind: 'plan'; readonly value: merchants.MerchantPlan }
  | { readonly kind: 'allowed_origins'; readonly value: readonly string[] };

/** What is kept of a key's grant; its merchant's part is kept by itself. */
export type KeyFacts = Omit<merchants.KeyGrant, 'tenant'>;

export interface ProgramRow extends Requested, RuleColumns {
  readonly id: ProgramId;
  readonly merchant_id: MerchantId;
  readonly name: string;
  readonly unit: string;
  readonly scale: number;
  readonly created_at: Date;
}

const hashColumn = `encode(request_hash, 'hex') as request_hash`;
const planColumns = `requests_per_minute, burst, requests_per_month::float8 as requests_per_month`;
const merchantColumns = `id, name, status, ${planColumns}, to_json(allowed_origins) as allowed_origins, created_at,
  ${hashColumn}`;
const apiKeyColumns = `id, merchant_id, name, prefix, encode(key_hash, 'hex') as digest, to_json(scopes) as scopes,
  ${planColumns}, created_at, revoked_at, revocation_key, ${hashColumn}`;
const programColumns = `id, merchant_id, name, unit, scale, point_expiry, point_expiry_end_of_month, reversal_policy,
  reversal_negative_limit, hold_expires_in_s, created_at, ${hashColumn}`;

const insertMerchant = `insert into merchants (creator, idempotency_key, request_hash, id, name)
  values ($1, $2, decode($3, 'hex'), $4, $5) on conflict do nothing returning ${merchantColumns}`;
const insertApiKey = `insert into api_keys
  (creator, idempotency_key, request_hash, id, merchant_id, name, prefix, key_hash, scopes, requests_per_minute,
    burst, requests_per_month)
  values ($1, $2, decode($3, 'hex'), $4, $5, $6, $7, decode($8, 'hex'), $9, $10, $11, $12)
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
const grantStatement = `select k.id as api_key_id, k.merchant_id, to_json(k.scopes) as scopes,
    k.requests_per_minute, k.burst, k.requests_per_month::float8 as requests_per_month
  from api_keys as k join merchants as m on m.id = k.merchant_id
  where k.key_hash = decode($1, 'hex') and k.revoked_at is null and m.status = 'active'`;
const tenantStatement = `select ${planColumns}, to_json(allowed_origins) as allowed_origins
  from merchants where id = $1 and status = 'active'`;
const insertChange = `insert into merchant_changes (creator, idempotency_key, request_hash, merchant_id, kind, value)
  values ($1, $2, decode($3, 'hex'), $4, $5, $6::jsonb) on conflict do nothing returning merchant_id, ${hashColumn}`;
const setPlan = `with change as (${insertChange}),
  applied as (update merchants set requests_per_minute = $7, burst = $8, requests_per_month = $9
    from change where id = change.merchant_id)
  select request_hash from change`;
const setAllowedOrigins = `with change as (${insertChange}),
  applied as (update merchants set allowed_origins = $7 from change where id = change.merchant_id)
  select request_hash from change`;
const changeOfKey = `select ${hashColumn} from merchant_changes where creator = $1 and idempotency_key = $2`;

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
    row: Pick<ApiKeyRow, 'id' | 'merchant_id' | 'name' | 'prefix' | 'digest'> &
      Pick<ApiKeyRow, 'requests_per_minute' | 'burst' | 'requests_per_month'> & {
        readonly scopes: readonly merchants.Scope[];
      },
  ): Promise<Creation<ApiKeyRow>> {
    const { id, merchant_id, name, prefix, digest, scopes, requests_per_minute, burst, requests_per_month } = row;
    return this.#create('api_keys', apiKeyColumns, key, insertApiKey, [
      id,
      merchant_id,
      name,
      prefix,
      digest,
      scopes,
      requests_per_minute,
      burst,
      requests_per_month,
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
  async grant(digestHex: string): Promise<KeyFacts | null> {
    return (await this.#database.read<KeyFacts>(grantStatement, [digestHex]))[0] ?? null;
  }

  /** Once for one key; what was set since then stays. */
  change(key: CreationKey, merchantId: MerchantId, { kind, value }: MerchantChange): Promise<Creation<Requested>> {
    const { creator, idempotencyKey, requestHash } = key;
    const values: Parameter[] =
      kind === 'plan' ? [value.requests_per_minute, value.burst, value.requests_per_month] : [value];
    const statement = kind === 'plan' ? setPlan : setAllowedOrigins;
    const change = [creator, idempotencyKey, requestHash, merchantId, kind, JSON.stringify(value)];
    return createOnce(
      key,
      () => this.#database.write<Requested>(statement, [...change, ...values]),
      () => this.#database.read<Requested>(changeOfKey, [creator, idempotencyKey]),
    );
  }

  /** What the edge is told of an active merchant. */
  async tenant(merchantId: string): Promise<merchants.Tenant | null> {
    type Row = merchants.MerchantPlan & Pick<merchants.Tenant, 'allowed_origins'>;
    const [row] = await this.#database.read<Row>(tenantStatement, [merchantId]);
    if (row === undefined) return null;
    const { allowed_origins, ...plan } = row;
    return { plan, allowed_origins };
  }

  /** Whether some active merchant allows the origin. */
  async isAllowedOrigin(origin: string): Promise<boolean> {
    const statement = `select 1 as found from merchants where allowed_origins @> array[$1::text] and status = 'active' limit 1`;
    return (await this.#database.read<{ found: number }>(statement, [origin])).length > 0;
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
