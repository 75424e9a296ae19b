/**
 * The table `payment_refunds`, and what refunds change of their payment. SQL only; every change is one statement.
 *
 * What a refund gives back is counted in the payment by the statement that creates it, and what could not be given back is
 * taken off again by the statement that ends it: the payment's row version keeps two of them apart.
 */
import type { RequestId } from '@local-plus/contracts';
import { announce } from '../outbox/index.ts';
import { type CreationKey, type Database, UniqueViolation } from '../platform/postgres/index.ts';
import type { RefundPart, Source } from './domain.ts';
import { paymentLimits } from './limits.ts';
import type { PaymentRow } from './store.ts';

/** A part, and what became of it. */
export interface StoredPart extends RefundPart {
  readonly transactionId: string | null;
  /** The code of the problem that stood in the way. */
  readonly refusal: string | null;
}

export interface RefundRow {
  readonly id: string;
  readonly payment_id: string;
  readonly status: 'pending' | 'succeeded' | 'partial' | 'failed';
  readonly amount: number;
  readonly parts: readonly StoredPart[];
  readonly reason: string | null;
  readonly request_id: RequestId;
  readonly traceparent: string | null;
  readonly created_at: Date;
  readonly request_hash: string;
}

export type NewRefund = Pick<RefundRow, 'id' | 'amount' | 'parts' | 'reason' | 'request_id' | 'traceparent'>;

const columns = `id, payment_id, status, amount, parts, reason, request_id, traceparent, created_at,
  encode(request_hash, 'hex') as request_hash`;

const counted = `update payments set sources = $3::text::json, refunded_amount = refunded_amount + $4::bigint,
    row_version = row_version + 1
  where id = $1::uuid and row_version = $2::int and status = 'captured'`;

const createStatement = `with moved as (
    ${counted} and not exists (select from payment_refunds where creator = $5::uuid and idempotency_key = $6)
    returning id
  ), written as (
    insert into payment_refunds (payment_id, creator, idempotency_key, request_hash, id, amount, parts, reason, due_at,
      request_id, traceparent)
    select moved.id, $5::uuid, $6, decode($7, 'hex'), $8::uuid, $4::bigint, $9::text::json, $10,
      now() + interval '${paymentLimits.leaseSeconds} s', $11::uuid, $12
    from moved returning ${columns}
  ) select * from written`;

const endStatement = `with moved as (
    ${counted} and exists (select from payment_refunds where id = $5::uuid and status = 'pending')
    returning id
  ), ended as (
    update payment_refunds set status = $6, parts = $7::text::json, due_at = null
    where id = $5::uuid and status = 'pending' and exists (select from moved) returning ${columns}
  ), ${announce(8, 'ended')} select * from ended`;

const byIdStatement = `select ${columns} from payment_refunds where id = $1::uuid`;
const byKeyStatement = `select ${columns} from payment_refunds where creator = $1::uuid and idempotency_key = $2`;
const pageStatement = `select ${columns} from payment_refunds where payment_id = $1::uuid and id < $2::uuid
  order by id desc limit $3::int`;
const dueStatement = `select ${columns} from payment_refunds where due_at <= now() order by due_at limit $1::int`;

export class RefundStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /** @returns null: the payment has changed since it was read, or the key is used */
  async create(
    payment: Pick<PaymentRow, 'id' | 'row_version'>,
    sources: readonly Source[],
    key: CreationKey,
    wanted: NewRefund,
  ): Promise<RefundRow | null> {
    const { creator, idempotencyKey, requestHash } = key;
    const { id, amount, parts, reason, request_id, traceparent } = wanted;
    const parameters = [
      payment.id,
      payment.row_version,
      JSON.stringify(sources),
      amount,
      creator,
      idempotencyKey,
      requestHash,
      id,
      JSON.stringify(parts),
      reason,
      request_id,
      traceparent,
    ];
    try {
      return (await this.#database.write<RefundRow>(createStatement, parameters))[0] ?? null;
    } catch (error) {
      // The same key at the same moment, for another payment.
      if (error instanceof UniqueViolation) return null;
      throw error;
    }
  }

  /**
   * @param takenOff what of the refund could not be given back
   * @returns null: the payment has changed since it was read, or the refund is at its end
   */
  async end(
    payment: Pick<PaymentRow, 'id' | 'row_version'>,
    sources: readonly Source[],
    takenOff: number,
    refund: Pick<RefundRow, 'id' | 'status' | 'parts'>,
    event: string,
  ): Promise<RefundRow | null> {
    const rows = await this.#database.write<RefundRow>(endStatement, [
      payment.id,
      payment.row_version,
      JSON.stringify(sources),
      -takenOff,
      refund.id,
      refund.status,
      JSON.stringify(refund.parts),
      event,
    ]);
    return rows[0] ?? null;
  }

  async one(id: string): Promise<RefundRow | null> {
    return (await this.#database.read<RefundRow>(byIdStatement, [id]))[0] ?? null;
  }

  async byKey({ creator, idempotencyKey }: Pick<CreationKey, 'creator' | 'idempotencyKey'>): Promise<RefundRow | null> {
    return (await this.#database.read<RefundRow>(byKeyStatement, [creator, idempotencyKey]))[0] ?? null;
  }

  /** Newest first, those created before `beforeId`. */
  page(paymentId: string, beforeId: string, rowsMax: number): Promise<readonly RefundRow[]> {
    return this.#database.read<RefundRow>(pageStatement, [paymentId, beforeId, rowsMax]);
  }

  due(rowsMax: number): Promise<readonly RefundRow[]> {
    return this.#database.read<RefundRow>(dueStatement, [rowsMax]);
  }
}
