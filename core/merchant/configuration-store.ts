/**
 * The table `merchant_configurations`. SQL only.
 *
 * - C1 versions are 1, 2, 3 … of a merchant: each is written only on top of the version that its request expected, and the
 *   row's key lets one of two win.
 */
import { limits, type MerchantId, merchants } from '@local-plus/contracts';
import { audited } from '../audit/index.ts';
import { type Creation, type CreationKey, createOnce, type Database } from '../platform/postgres/index.ts';

export interface ConfigurationRow {
  readonly version: number;
  readonly configuration: merchants.Configuration;
  readonly actor: string;
  readonly created_at: Date;
  readonly request_hash: string;
}

export interface NewConfiguration {
  readonly merchantId: MerchantId;
  readonly expectedVersion: number;
  readonly configuration: merchants.Configuration;
  readonly actor: string;
}

const columns = `version, configuration, actor, created_at, encode(request_hash, 'hex') as request_hash`;

const insert = `with written as (
    insert into merchant_configurations
      (creator, idempotency_key, request_hash, merchant_id, version, configuration, actor)
    select $1, $2, decode($3, 'hex'), $4::uuid, $5::int + 1, $6::text::json, $7
    where $5::int = coalesce((select max(version) from merchant_configurations where merchant_id = $4::uuid), 0)
    on conflict do nothing returning ${columns}
  ), ${audited(8, 'written')} select * from written`;
const byKey = `select ${columns} from merchant_configurations where creator = $1 and idempotency_key = $2`;
const one = `select ${columns} from merchant_configurations where merchant_id = $1 and version = $2`;
const newest = `select ${columns} from merchant_configurations where merchant_id = $1 and version < $2
  order by version desc limit $3`;

export class ConfigurationStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /** `conflict`: the newest version is another one than expected. */
  create(key: CreationKey, row: NewConfiguration, entry: string): Promise<Creation<ConfigurationRow>> {
    const { creator, idempotencyKey, requestHash } = key;
    const { merchantId, expectedVersion, configuration, actor } = row;
    const values = [merchantId, expectedVersion, JSON.stringify(configuration), actor, entry];
    return createOnce(
      key,
      () => this.#database.write<ConfigurationRow>(insert, [creator, idempotencyKey, requestHash, ...values]),
      () => this.#database.read<ConfigurationRow>(byKey, [creator, idempotencyKey]),
    );
  }

  async version(merchantId: MerchantId, version: number): Promise<ConfigurationRow | null> {
    return (await this.#database.read<ConfigurationRow>(one, [merchantId, version]))[0] ?? null;
  }

  /** Newest first, before a version. */
  versions(merchantId: MerchantId, before: number | null, rowsMax: number): Promise<readonly ConfigurationRow[]> {
    const beforeVersion = Math.min(before ?? Number.POSITIVE_INFINITY, limits.configurationVersionsMax + 1);
    return this.#database.read<ConfigurationRow>(newest, [merchantId, beforeVersion, rowsMax]);
  }

  /** What holds now, whoever the merchant is. */
  async settings(merchantId: MerchantId): Promise<merchants.Configuration> {
    const [row] = await this.versions(merchantId, null, 1);
    return { ...merchants.defaultConfiguration, ...row?.configuration };
  }
}
