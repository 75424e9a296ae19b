/**
 * The table `revocations`. SQL only.
 *
 * - R1 places become visible in their order: each is taken under a lock that is held until its commit, so that whoever
 *   has read up to a place has missed nothing before it.
 */
import type { revocations } from '@local-plus/contracts';
import { audited } from '../audit/index.ts';
import { type Creation, type CreationKey, createOnce, type Database } from '../platform/postgres/index.ts';

export interface RevocationRow {
  readonly id: string;
  readonly kind: revocations.RevocationKind;
  readonly value: string;
  readonly merchant_id: string | null;
  readonly expires_at: Date;
  readonly created_at: Date;
  readonly request_hash: string;
}

export interface ListedRow extends Pick<RevocationRow, 'kind' | 'value' | 'merchant_id' | 'expires_at'> {
  readonly place: number;
}

/** Any number that nothing else locks. */
const LOCK = 7_077_008;

const columns = `id, kind, value, merchant_id, expires_at, created_at, encode(request_hash, 'hex') as request_hash`;

const insert = `with turn as materialized (select pg_advisory_xact_lock(${LOCK})),
  written as (
    insert into revocations
      (place, creator, idempotency_key, request_hash, id, kind, value, merchant_id, expires_at)
    select nextval('revocation_places'), $1, $2, decode($3, 'hex'), $4, $5, $6, $7, $8 from turn
    where $8::timestamptz > now()
    on conflict do nothing returning ${columns}
  ), ${audited(9, 'written')} select * from written`;
const find = `select ${columns} from revocations where creator = $1 and idempotency_key = $2`;
const list = `select place, kind, value, merchant_id, expires_at from revocations
  where place > $1 and expires_at > now() order by place limit $2`;

export class RevocationStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** `conflict`: it would expire in the past. */
  create(
    key: CreationKey,
    row: Omit<RevocationRow, 'created_at' | 'request_hash'>,
    entry: string,
  ): Promise<Creation<RevocationRow>> {
    const { creator, idempotencyKey, requestHash } = key;
    const { id, kind, value, merchant_id, expires_at } = row;
    const values = [creator, idempotencyKey, requestHash, id, kind, value, merchant_id, expires_at, entry];
    return createOnce(
      key,
      () => this.#database.write<RevocationRow>(insert, values),
      () => this.#database.read<RevocationRow>(find, [creator, idempotencyKey]),
    );
  }

  /** Those after a place that are not expired, in the order of their places. */
  list(after: number, rowsMax: number): Promise<readonly ListedRow[]> {
    return this.#database.read<ListedRow>(list, [after, rowsMax]);
  }
}
