/** Wire ↔ refunds of payments: create, list. */
import { uuidV7, type payments as wire } from '@local-plus/contracts';
import { idCursor, pageOf } from '../platform/cursor/index.ts';
import {
  attempts,
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  type Handlers,
  ProblemError,
} from '../platform/http/index.ts';
import type { CreationKey } from '../platform/postgres/index.ts';
import { countedIn, refundParts } from './domain.ts';
import { beforeIdOf, seenPayment } from './handler.ts';
import { paymentLimits } from './limits.ts';
import type { PaymentProcess } from './process.ts';
import type { RefundProcess } from './refunds.ts';
import type { RefundRow, RefundStore } from './refunds-store.ts';
import type { PaymentRow, PaymentStore } from './store.ts';
import { refundJson } from './wire.ts';

export interface RefundHandlerPorts {
  readonly store: PaymentStore;
  readonly refunds: RefundStore;
  readonly process: PaymentProcess;
  readonly refunding: RefundProcess;
  readonly nowMs: () => number;
}

export function refundHandlers(ports: RefundHandlerPorts): Handlers {
  return {
    'payments.refund': (request) => create(ports, request),
    'payments.refunds': (request) => list(ports, request),
  };
}

async function create(ports: RefundHandlerPorts, request: CoreRequest<'payments.refund'>): Promise<CoreAnswer> {
  const { store, process, refunding } = ports;
  const payment = await seenPayment(store, request);
  const key = creationKey(request, [payment.id, request.body.amount ?? null, request.body.reason ?? null]);
  const earlier = await ports.refunds.byKey(key);
  const refund = earlier ?? (await begin(ports, request, key, await process.settle(payment, request.deadlineMs)));
  if (refund.request_hash !== key.requestHash) throw new ProblemError('idempotency_key_reused');
  const ended = await refunding.settle(refund, request.deadlineMs);
  return createdAnswer(refundJson(ended), earlier !== null);
}

/** Fixes the parts, and counts them in the payment. Again, when another refund came between. */
async function begin(
  { store, refunds, nowMs }: RefundHandlerPorts,
  request: CoreRequest<'payments.refund'>,
  key: CreationKey,
  first: PaymentRow,
): Promise<RefundRow> {
  const { body, requestId: request_id, traceparent } = request;
  const { reason = null } = body;
  let payment = first;
  return attempts(paymentLimits.triesMax, request.deadlineMs, async () => {
    if (payment.status !== 'captured') throw new ProblemError('payment_not_captured');
    const left = payment.amount - payment.refunded_amount;
    const amount = body.amount ?? left;
    if (left === 0 || amount > left) throw new ProblemError('refund_exceeds_payment');
    const parts = refundParts(payment.sources, payment.refund_order, amount);
    const nothingYet = { transactionId: null, refusal: null };
    const wanted = {
      id: uuidV7<string>(nowMs()),
      amount,
      parts: parts.map((part) => ({ ...part, ...nothingYet })),
      reason,
      request_id,
      traceparent,
    };
    const created = await refunds.create(payment, countedIn(payment.sources, parts, 1), key, wanted);
    const refund = created ?? (await refunds.byKey(key));
    if (refund !== null) return refund;
    payment = (await store.one(payment.id)) ?? payment;
    return null;
  });
}

async function list(ports: RefundHandlerPorts, request: CoreRequest<'payments.refunds'>): Promise<CoreAnswer> {
  const payment = await seenPayment(ports.store, request);
  const { limit, cursor } = request.queryValues;
  const rows = await ports.refunds.page(payment.id, beforeIdOf(cursor), limit + 1);
  const page = pageOf(rows, limit, ({ id }) => idCursor(id));
  const data: wire.Refund[] = page.rows.map(refundJson);
  return { status: 200, body: JSON.stringify({ data, next_cursor: page.nextCursor }) };
}
