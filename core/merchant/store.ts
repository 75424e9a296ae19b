/**
 * The tables `merchants` and `merchant_changes`. SQL only.
 */
import type { MerchantId, merchants } from '@local-plus/contracts';
import { audited } from '../audit/index.ts';
import { announce } from '../outbox/index.ts';
import {
  type Creation,
  type CreationKey,
  createOnce,
  type Database,
  type Parameter,
} from '../platform/postgres/index.ts';

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

/** What a change of a merchant sets. */
export type MerchantChange =
  | { readonly kind: 'plan'; readonly value: merchants.MerchantPlan }
  | { readonly kind: 'allowed_origins'; readonly value: readonly string[] };

const hashColumn = `encode(request_hash, 'hex') as request_hash`;
const planColumns = `requests_per_minute, burst, requests_per_month::float8 as requests_per_month`;
const merchantColumns = `id, name, status, ${planColumns}, to_json(allowed_origins) as allowed_origins, created_at,
  ${hashColumn}`;
/** `$7` is announced of what is active from the start. */
const insertMerchant = `with written as (
    insert into merchants (creator, idempotency_key, request_hash, id, name, status)
    values ($1, $2, decode($3, 'hex'), $4, $5, $8) on conflict do nothing returning ${merchantColumns}
  ), onboarded as (select id from written where status = 'active'),
  ${audited(6, 'written')}, ${announce(7, 'onboarded')}
  select * from written`;
const merchantOfKey = `select ${merchantColumns} from merchants where creator = $1 and idempotency_key = $2`;
const tenantStatement = `select status, ${planColumns}, to_json(allowed_origins) as allowed_origins
  from merchants where id = $1`;
const insertChange = `insert into merchant_changes (creator, idempotency_key, request_hash, merchant_id, kind, value)
    select $1::uuid, $2, decode($3, 'hex'), id, $5, $6::jsonb from held
    on conflict do nothing returning merchant_id, ${hashColumn}`;
/**
 * The merchant's row is locked first and the lock of its trail comes last, as in every statement that changes a merchant: no two
 * wait for each other. It has to be as it was read, or its entry in the trail would tell of something that was not.
 */
const setPlan = `with held as (
    select id from merchants where id = $4::uuid and requests_per_minute is not distinct from $11::int
      and burst is not distinct from $12::int and requests_per_month is not distinct from $13::bigint
    for no key update
  ), change as (${insertChange}
  ), applied as (
    update merchants set requests_per_minute = $7, burst = $8, requests_per_month = $9
    from change where id = change.merchant_id returning id
  ), ${audited(10, 'applied')} select request_hash from change`;
const setAllowedOrigins = `with held as (
    select id from merchants where id = $4::uuid and allowed_origins = $9::text[] for no key update
  ), change as (${insertChange}
  ), applied as (
    update merchants set allowed_origins = $7 from change where id = change.merchant_id returning id
  ), ${audited(8, 'applied')} select request_hash from change`;
const changeOfKey = `select ${hashColumn} from merchant_changes where creator = $1 and idempotency_key = $2`;

export class MerchantStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** @param event is announced of a merchant that is active from the start */
  createMerchant(
    key: CreationKey,
    { id, name, status }: Pick<MerchantRow, 'id' | 'name' | 'status'>,
    entry: string,
    event: string,
  ): Promise<Creation<MerchantRow>> {
    const { creator, idempotencyKey, requestHash } = key;
    const values = [creator, idempotencyKey, requestHash, id, name, entry, event, status];
    return createOnce(
      key,
      () => this.#database.write<MerchantRow>(insertMerchant, values),
      () => this.#database.read<MerchantRow>(merchantOfKey, [creator, idempotencyKey]),
    );
  }

  async merchant(id: MerchantId): Promise<MerchantRow | null> {
    const statement = `select ${merchantColumns} from merchants where id = $1`;
    return (await this.#database.read<MerchantRow>(statement, [id]))[0] ?? null;
  }

  /**
   * Once for one key; what was set since then stays. `conflict`: it was changed meanwhile.
   * @param before the merchant as it was read
   */
  change(
    key: CreationKey,
    before: MerchantRow,
    { kind, value }: MerchantChange,
    entry: string,
  ): Promise<Creation<Requested>> {
    const { creator, idempotencyKey, requestHash } = key;
    const values: Parameter[] =
      kind === 'plan' ? [...planValues(value), entry, ...planValues(before)] : [value, entry, before.allowed_origins];
    const statement = kind === 'plan' ? setPlan : setAllowedOrigins;
    const change = [creator, idempotencyKey, requestHash, before.id, kind, JSON.stringify(value)];
    return createOnce(
      key,
      () => this.#database.write<Requested>(statement, [...change, ...values]),
      () => this.#database.read<Requested>(changeOfKey, [creator, idempotencyKey]),
    );
  }

  /** What the edge is told of a merchant, whatever its state. */
  async tenant(merchantId: string): Promise<merchants.Tenant | null> {
    type Row = merchants.MerchantPlan & Pick<merchants.Tenant, 'status' | 'allowed_origins'>;
    const [row] = await this.#database.read<Row>(tenantStatement, [merchantId]);
    if (row === undefined) return null;
    const { status, allowed_origins, ...plan } = row;
    return { status, plan, allowed_origins };
  }

  /** Whether some active merchant allows the origin. */
  async isAllowedOrigin(origin: string): Promise<boolean> {
    const statement = `select 1 as found from merchants where allowed_origins @> array[$1::text] and status = 'active' limit 1`;
    return (await this.#database.read<{ found: number }>(statement, [origin])).length > 0;
  }
}

function planValues({ requests_per_minute, burst, requests_per_month }: merchants.MerchantPlan): Parameter[] {
  return [requests_per_minute, burst, requests_per_month];
}
