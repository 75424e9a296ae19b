/** What others are told of payments. */
import { topics } from '@local-plus/contracts';
import { newEvent } from '../outbox/index.ts';
import type { Status } from './domain.ts';
import type { RefundRow } from './refunds-store.ts';
import type { PaymentRow } from './store.ts';

/** Where it rests; on its way nobody is told. */
const types: Readonly<Partial<Record<Status, string>>> = {
  held: 'payment.held',
  captured: 'payment.captured',
  failed: 'payment.failed',
  voided: 'payment.voided',
};

/** The event of a payment that has become what it is; null: none. */
export function eventOf(row: PaymentRow, nowMs: number): string | null {
  const type = types[row.status];
  return type === undefined ? null : paymentEvent(row, row, type, dataOf(row), nowMs);
}

/** @param row the payment as it is after the refund */
export function refundEvent(row: PaymentRow, refund: RefundRow, nowMs: number): string {
  const given = refund.parts.filter((part) => part.refusal === null);
  const data = {
    ...dataOf(row),
    refund_id: refund.id,
    refund_status: refund.status,
    given_back: given.map(({ source, amount, points }) => ({ source, amount, points })),
  };
  return paymentEvent(row, refund, 'payment.refunded', data, nowMs);
}

function dataOf(row: PaymentRow) {
  const { id, merchant_id, status, amount, currency, refunded_amount, failure, reference } = row;
  return {
    payment_id: id,
    merchant_id,
    status,
    amount,
    currency,
    refunded_amount,
    sources: row.sources.map((source) => {
      return { type: source.type, id: source.id, amount: source.amount, points: source.points };
    }),
    failure_code: failure?.code ?? null,
    reference,
  };
}

function paymentEvent(
  { id }: PaymentRow,
  { request_id, traceparent }: Pick<PaymentRow, 'request_id' | 'traceparent'>,
  type: string,
  data: object,
  nowMs: number,
): string {
  return newEvent(
    {
      topic: topics.payments,
      aggregateType: 'payment',
      aggregateId: id,
      type,
      schemaVersion: 1,
      requestId: request_id,
      traceparent,
      data,
    },
    nowMs,
  );
}
