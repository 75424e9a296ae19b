/** The table `merchant_transitions`, and the state of a merchant with it. SQL only. */
import type { lifecycle, MerchantId, merchants } from '@local-plus/contracts';
import { audited } from '../audit/index.ts';
import { announce } from '../outbox/index.ts';
import {
  type Creation,
  type CreationKey,
  createOnce,
  type Database,
  UniqueViolation,
} from '../platform/postgres/index.ts';

export interface TransitionRow {
  readonly id: string;
  readonly merchant_id: MerchantId;
  readonly place: number;
  readonly action: lifecycle.LifecycleAction;
  readonly from_status: merchants.MerchantStatus;
  readonly to_status: merchants.MerchantStatus;
  readonly reason: string;
  readonly actor: string;
  readonly created_at: Date;
  readonly request_hash: string;
}

export type NewTransition = Omit<TransitionRow, 'place' | 'created_at' | 'request_hash'>;

const columns = `id, merchant_id, place, action, from_status, to_status, reason, actor, created_at,
  encode(request_hash, 'hex') as request_hash`;

/** The merchant's row decides: whoever comes second finds another state there. */
const move = `with moved as (
    update merchants set status = $8 where id = $5::uuid and status = $7
      and not exists (select from merchant_transitions where creator = $1::uuid and idempotency_key = $2)
    returning id
  ), written as (
    insert into merchant_transitions
      (creator, idempotency_key, request_hash, id, merchant_id, place, action, from_status, to_status, reason, actor)
    select $1::uuid, $2, decode($3, 'hex'), $4::uuid, moved.id,
      coalesce((select max(place) from merchant_transitions where merchant_id = $5::uuid), 0) + 1, $6, $7, $8, $9, $10
    from moved returning ${columns}
  ), onboarded as (select id from written where action = 'activate'),
  ${audited(11, 'written')}, ${announce(12, 'onboarded')}
  select * from written`;
const byKey = `select ${columns} from merchant_transitions where creator = $1 and idempotency_key = $2`;
const page = `select ${columns} from merchant_transitions where merchant_id = $1 and place < $2
  order by place desc limit $3`;

const PLACE_MAX = 2 ** 31 - 1;

export class LifecycleStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /**
   * `conflict`: the merchant is not in that state, or there is no such step.
   * @param row null: there is none; only what the key has done before is looked for
   * @param event is announced when the merchant is activated
   */
  move(key: CreationKey, row: NewTransition | null, entry: string, event: string): Promise<Creation<TransitionRow>> {
    const { creator, idempotencyKey, requestHash } = key;
    const write = async (): Promise<readonly TransitionRow[]> => {
      if (row === null) return [];
      const { id, merchant_id, action, from_status, to_status, reason, actor } = row;
      const values = [id, merchant_id, action, from_status, to_status, reason, actor, entry, event];
      try {
        return await this.#database.write<TransitionRow>(move, [creator, idempotencyKey, requestHash, ...values]);
      } catch (error) {
        // Another request took the key, or the place, at the same time: nothing was written.
        if (error instanceof UniqueViolation) return [];
        throw error;
      }
    };
    return createOnce(key, write, () => this.#database.read<TransitionRow>(byKey, [creator, idempotencyKey]));
  }

  /** Newest first, before a place. */
  transitions(merchantId: MerchantId, before: number | null, rowsMax: number): Promise<readonly TransitionRow[]> {
    return this.#database.read<TransitionRow>(page, [merchantId, Math.min(before ?? PLACE_MAX, PLACE_MAX), rowsMax]);
  }
}
