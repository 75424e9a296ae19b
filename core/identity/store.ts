/**
 * The table `revocations`. SQL only.
 *
 * - R1 places become visible in their order: each is taken under a lock that is held until its commit, so that whoever
 *   has read up to a place has missed nothing before it.
 * - R2 no more are in force than the edge can hold: counted under the same lock, where a place is taken. The lock and the count
 *   stand in `revocation_place` (migration 029).
 */
import { limits, type revocations } from '@local-plus/contracts';
import { audited } from '../audit/index.ts';
import { type Creation, type CreationKey, createOnce, type Database } from '../platform/postgres/index.ts';
import { identityLimits } from './limits.ts';

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

/** Why none was created: it would end in the past, or later than any may, or as many are in force as can be. */
export type Refusal = 'past' | 'late' | 'full';

const columns = `id, kind, value, merchant_id, expires_at, created_at, encode(request_hash, 'hex') as request_hash`;

const latest = `now() + interval '${limits.revocationDaysMax} days'`;
/** A few of those that ended long ago go with each new one. */
const insert = `with written as (
    insert into revocations
      (place, creator, idempotency_key, request_hash, id, kind, value, merchant_id, expires_at)
    select turn.place, $1, $2, decode($3, 'hex'), $4, $5, $6, $7, $8
    from revocation_place(${limits.revocationsMax}) as turn(place)
    where turn.place is not null and $8::timestamptz > now() and $8::timestamptz <= ${latest}
    on conflict do nothing returning ${columns}
  ), ended as materialized (
    select id from revocations where expires_at < now() - interval '${identityLimits.endedKeptHours} hours'
    order by expires_at limit ${identityLimits.endedRowsMax}
  ), dropped as (
    delete from revocations using ended where revocations.id = ended.id and exists (select from written)
  ), ${audited(9, 'written')} select * from written`;
const refusal = `select case when $1::timestamptz <= now() then 'past' when $1::timestamptz > ${latest} then 'late'
  else 'full' end as refusal`;
const find = `select ${columns} from revocations where creator = $1 and idempotency_key = $2`;
const list = `select place, kind, value, merchant_id, expires_at from revocations
  where place > $1 and expires_at > now() order by place limit $2`;

export class RevocationStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** `conflict`: see {@link RevocationStore.refusal}. */
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

  /** What stands in the way of one that would expire then, and is not there. */
  async refusal(expiresAt: Date): Promise<Refusal> {
    const [row] = await this.#database.read<{ readonly refusal: Refusal }>(refusal, [expiresAt]);
    if (row === undefined) throw new Error('a select without a table has a row');
    return row.refusal;
  }

  /** Those after a place that are not expired, in the order of their places. */
  list(after: number, rowsMax: number): Promise<readonly ListedRow[]> {
    return this.#database.read<ListedRow>(list, [after, rowsMax]);
  }
}
