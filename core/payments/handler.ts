/**
 * Wire ↔ payments: create, read, list, capture, void.
 *
 * - A replay answers what was answered first, and goes on with what is still on its way.
 * - Another tenant's payment, and a source of another tenant, answer as what does not exist.
 */
import { parseId, uuidV7, type payments as wire } from '@local-plus/contracts';
import { idCursor, idOf as idOfCursor, pageOf } from '../platform/cursor/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  callingMerchant,
  createdAnswer,
  creationKey,
  cursorValue,
  type Handlers,
  keyOf,
  ProblemError,
  sees,
  settled,
} from '../platform/http/index.ts';
import { usualRefundOrder } from './domain.ts';
import { paymentLimits } from './limits.ts';
import { idOf, type PlanPorts, planned } from './plan.ts';
import type { PaymentProcess } from './process.ts';
import { lastId, type NewPayment, type PaymentRow, type PaymentStore } from './store.ts';
import { failureAnswer, paymentJson, paymentJsonAt } from './wire.ts';

export interface HandlerPorts extends PlanPorts {
  readonly store: PaymentStore;
  readonly process: PaymentProcess;
  readonly nowMs: () => number;
}

export function paymentHandlers(ports: HandlerPorts): Handlers {
  return {
    'payments.create': (request) => create(ports, request),
    'payments.read': async (request) => ok(paymentJson(await seenPayment(ports.store, request))),
    'payments.list': (request) => list(ports, request),
    'payments.capture': (request) => change(ports, request, captured),
    'payments.void': (request) => change(ports, request, voided),
  };
}

async function create(ports: HandlerPorts, request: CoreRequest<'payments.create'>): Promise<CoreAnswer> {
  const { store, process } = ports;
  const key = creationKey(request, askedOf(request.body));
  const earlier = await store.byKey(key);
  // What rates, and sources, are by now is no matter to a request that was made before.
  const wanted = earlier === null ? await newPayment(ports, request) : null;
  const outcome =
    wanted === null
      ? earlier?.request_hash === key.requestHash
        ? ({ type: 'replayed', row: earlier } as const)
        : ({ type: 'key_reused' } as const)
      : await store.create(key, wanted);
  const { row: created, replayed } = settled(outcome);
  const row = await process.settle(created, request.deadlineMs);
  if (row.answered === 'failed' && row.failure !== null) return failureAnswer(row, row.failure, replayed);
  return createdAnswer(paymentJsonAt(row, row.answered === 'held' ? 'held' : 'captured'), replayed);
}

async function newPayment(ports: HandlerPorts, request: CoreRequest<'payments.create'>): Promise<NewPayment> {
  const { body, requestId, traceparent } = request;
  const { amount, currency, capture, expires_in_s, reference = null, refund_order } = body;
  const merchantId = callingMerchant(request.context);
  const plans = await planned(ports, merchantId, body);
  return {
    id: uuidV7(ports.nowMs()),
    merchant_id: merchantId,
    amount,
    currency,
    capture,
    sources: plans.map(({ source }) => source),
    refund_order: refund_order ?? usualRefundOrder(plans.length),
    reference,
    expiresInS: capture ? null : expires_in_s,
    request_id: requestId,
    traceparent,
  };
}

function askedOf(body: wire.CreatePayment): readonly unknown[] {
  const { amount, currency, sources, capture, expires_in_s, reference = null, refund_order = null } = body;
  const from = sources.map((source) => {
    const points = source.type === 'wallet' ? (source.points ?? null) : null;
    return [source.type, idOf(source), source.amount ?? null, points];
  });
  return [amount, currency, from, capture, expires_in_s, reference, refund_order];
}

async function list({ store }: HandlerPorts, request: CoreRequest<'payments.list'>): Promise<CoreAnswer> {
  const merchantId = callingMerchant(request.context);
  const { limit, cursor } = request.queryValues;
  const beforeId = beforeIdOf(cursor);
  const rows = await store.page(merchantId, beforeId, limit + 1);
  const page = pageOf(rows, limit, ({ id }) => idCursor(id));
  return ok({ data: page.rows.map(paymentJson), next_cursor: page.nextCursor });
}

/** Where a page goes on: before the id that the last one ended with. Throws `invalid_cursor`. */
export function beforeIdOf(cursor: string | undefined): string {
  return cursorValue(cursor, idOfCursor<string>) ?? lastId;
}

interface Decision {
  /** The key of the request that made it, on the row. */
  readonly keyIn: (row: PaymentRow) => string | null;
  readonly make: (process: PaymentProcess, row: PaymentRow, key: string) => Promise<PaymentRow>;
  readonly answer: (row: PaymentRow, replayed: boolean) => CoreAnswer;
}

const captured: Decision = {
  keyIn: (row) => row.capture_key,
  make: (process, row, key) => process.decide(row, key),
  answer: (row, replayed) =>
    row.status === 'captured' || row.failure === null
      ? createdAnswer(paymentJsonAt(row, 'captured'), replayed, 200)
      : failureAnswer(row, row.failure, replayed),
};

const voided: Decision = {
  keyIn: (row) => row.void_key,
  make: (process, row, key) => process.abandon(row, key),
  answer: (row, replayed) => createdAnswer(paymentJsonAt(row, 'voided'), replayed, 200),
};

/** What is decided of a payment that is held: once, by one of all who try. */
async function change(
  { store, process }: HandlerPorts,
  request: CoreRequest<'payments.capture' | 'payments.void'>,
  { keyIn, make, answer }: Decision,
): Promise<CoreAnswer> {
  const key = keyOf(request);
  let row = await process.settle(await seenPayment(store, request), request.deadlineMs);
  const replayed = keyIn(row) === key;
  for (let attempt = 0; attempt < paymentLimits.triesMax && keyIn(row) !== key; attempt++) {
    if (row.status !== 'held') throw new ProblemError('payment_not_held');
    const version: number = row.row_version;
    const next = await make(process, row, key);
    // Nobody was faster: it is too late.
    if (next.row_version === version) throw new ProblemError('payment_expired');
    row = await process.settle(next, request.deadlineMs);
  }
  if (keyIn(row) !== key) throw new ProblemError('overloaded');
  return answer(row, replayed);
}

/** The payment of the path. Throws `not_found` for what is none of the caller's. */
export async function seenPayment(
  store: Pick<PaymentStore, 'one'>,
  { params, context }: Pick<CoreRequest, 'params' | 'context'>,
): Promise<PaymentRow> {
  const id = parseId<string>(params[0] ?? '');
  const row = id === null ? null : await store.one(id);
  if (row === null || !sees(context, row.merchant_id)) throw new ProblemError('not_found');
  return row;
}

function ok(body: unknown): CoreAnswer {
  return { status: 200, body: JSON.stringify(body) };
}
