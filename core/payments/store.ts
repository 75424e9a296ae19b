/**
 * The table `payments`. SQL only; every change is one statement, which compares and sets the row's version and announces what
 * has become true.
 */
import type { MerchantId, RequestId } from '@local-plus/contracts';
import { announce } from '../outbox/index.ts';
import { type Creation, type CreationKey, createOnce, type Database } from '../platform/postgres/index.ts';
import type { Failure, Source, Status } from './domain.ts';
import { paymentLimits } from './limits.ts';

export interface PaymentRow {
  readonly id: string;
  readonly merchant_id: MerchantId;
  readonly status: Status;
  /** Where it first came to rest; null: it has not yet. */
  readonly answered: 'held' | 'captured' | 'failed' | null;
  readonly row_version: number;
  readonly amount: number;
  readonly currency: string;
  readonly capture: boolean;
  readonly sources: readonly Source[];
  readonly refund_order: readonly number[];
  readonly refunded_amount: number;
  readonly failure: Failure | null;
  readonly reference: string | null;
  readonly expires_at: Date | null;
  readonly capture_key: string | null;
  readonly void_key: string | null;
  readonly request_id: RequestId;
  readonly traceparent: string | null;
  /** It is under way, or rests, past the time at which a sweep has to look after it. */
  readonly is_due: boolean;
  readonly created_at: Date;
  readonly request_hash: string;
}

export type NewPayment = Pick<
  PaymentRow,
  'id' | 'merchant_id' | 'amount' | 'currency' | 'capture' | 'sources' | 'refund_order' | 'reference'
> &
  Pick<PaymentRow, 'request_id' | 'traceparent'> & { readonly expiresInS: number | null };

/** What a change of state writes; what it leaves out stays. */
export interface Change {
  readonly status: Status;
  readonly sources?: readonly Source[];
  readonly failure?: Failure;
  readonly captureKey?: string;
  readonly voidKey?: string;
  /** When it is due, where it is under way; the lease, if nothing is said. */
  readonly dueInSeconds?: number;
}

/** By the database's clock; `anytime`: always. */
export type Moment = 'anytime' | 'while_holding' | 'before_expiry' | 'after_expiry';

const moments: Readonly<Record<Moment, string>> = {
  anytime: 'true',
  while_holding: `created_at > now() - interval '${paymentLimits.holdingSeconds} s'`,
  before_expiry: 'expires_at > now()',
  after_expiry: 'expires_at <= now()',
};

const columns = `id, merchant_id, status, answered, row_version, amount, currency, capture, sources, refund_order,
  refunded_amount, failure, reference, expires_at, capture_key, void_key, request_id, traceparent,
  coalesce(due_at <= now(), false) as is_due, created_at,
  encode(request_hash, 'hex') as request_hash`;

const leased = `now() + interval '${paymentLimits.leaseSeconds} s'`;

const insertStatement = `insert into payments (creator, idempotency_key, request_hash, id, merchant_id, status, amount,
    currency, capture, sources, refund_order, reference, expires_at, due_at, request_id, traceparent)
  values ($1::uuid, $2, decode($3, 'hex'), $4::uuid, $5::uuid, 'holding', $6::bigint, $7, $8::boolean, $9::text::json,
    $10::text::json, $11, now() + $12::int * interval '1 second', ${leased}, $13::uuid, $14)
  on conflict do nothing returning ${columns}`;

function updateOf(moment: Moment): string {
  return `update payments set status = $3::text, row_version = row_version + 1,
    sources = coalesce($4::text::json, sources), failure = coalesce($5::text::json, failure),
    capture_key = coalesce($6, capture_key), void_key = coalesce($7, void_key),
    answered = coalesce(answered, case when $3::text in ('held', 'captured', 'failed') then $3::text end),
    due_at = case when $3::text = 'held' then expires_at
      when $3::text in ('captured', 'failed', 'voided') then null else now() + make_interval(secs => $8::int) end
  where id = $1::uuid and row_version = $2::int and ${moments[moment]} returning ${columns}`;
}

function statementsOf(moment: Moment): { readonly silent: string; readonly told: string } {
  const moved = `with moved as (${updateOf(moment)})`;
  return { silent: `${moved} select * from moved`, told: `${moved}, ${announce(9, 'moved')} select * from moved` };
}
const moveStatements = {
  anytime: statementsOf('anytime'),
  while_holding: statementsOf('while_holding'),
  before_expiry: statementsOf('before_expiry'),
  after_expiry: statementsOf('after_expiry'),
} as const satisfies Record<Moment, unknown>;

const byIdStatement = `select ${columns} from payments where id = $1::uuid`;
const byKeyStatement = `select ${columns} from payments where creator = $1::uuid and idempotency_key = $2`;
const pageStatement = `select ${columns} from payments where merchant_id = $1::uuid and id < $2::uuid
  order by id desc limit $3::int`;
const dueStatement = `select ${columns} from payments where due_at <= now() order by due_at limit $1::int`;

/** Sorts after every id. */
export const lastId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

export class PaymentStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /** Begins a payment as `holding`. */
  create(key: CreationKey, wanted: NewPayment): Promise<Creation<PaymentRow>> {
    const { creator, idempotencyKey, requestHash } = key;
    const { id, merchant_id, amount, currency, capture, sources, refund_order, reference, expiresInS } = wanted;
    return createOnce(
      key,
      () =>
        this.#database.write<PaymentRow>(insertStatement, [
          creator,
          idempotencyKey,
          requestHash,
          id,
          merchant_id,
          amount,
          currency,
          capture,
          JSON.stringify(sources),
          JSON.stringify(refund_order),
          reference,
          expiresInS,
          wanted.request_id,
          wanted.traceparent,
        ]),
      () => this.#database.read<PaymentRow>(byKeyStatement, [creator, idempotencyKey]),
    );
  }

  /**
   * Compare and set.
   *
   * @param event the text of what becomes true by it; null: nothing that others have to know
   * @returns null: the row has changed since it was read, or it is not the moment
   */
  async move(
    row: Pick<PaymentRow, 'id' | 'row_version'>,
    change: Change,
    moment: Moment,
    event: string | null,
  ): Promise<PaymentRow | null> {
    const { status, sources, failure, captureKey = null, voidKey = null } = change;
    const { dueInSeconds = paymentLimits.leaseSeconds } = change;
    const { silent, told } = moveStatements[moment];
    const named = [row.id, row.row_version, status, jsonOrNull(sources), jsonOrNull(failure), captureKey, voidKey];
    const parameters = [...named, dueInSeconds];
    const [moved] =
      event === null
        ? await this.#database.write<PaymentRow>(silent, parameters)
        : await this.#database.write<PaymentRow>(told, [...parameters, event]);
    return moved ?? null;
  }

  async one(id: string): Promise<PaymentRow | null> {
    return (await this.#database.read<PaymentRow>(byIdStatement, [id]))[0] ?? null;
  }

  async byKey({
    creator,
    idempotencyKey,
  }: Pick<CreationKey, 'creator' | 'idempotencyKey'>): Promise<PaymentRow | null> {
    return (await this.#database.read<PaymentRow>(byKeyStatement, [creator, idempotencyKey]))[0] ?? null;
  }

  /** Newest first, those created before `beforeId`. */
  page(merchantId: MerchantId, beforeId: string, rowsMax: number): Promise<readonly PaymentRow[]> {
    return this.#database.read<PaymentRow>(pageStatement, [merchantId, beforeId, rowsMax]);
  }

  /** Those that somebody has to look after, the longest due first. */
  due(rowsMax: number): Promise<readonly PaymentRow[]> {
    return this.#database.read<PaymentRow>(dueStatement, [rowsMax]);
  }
}

function jsonOrNull(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
