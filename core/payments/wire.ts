/** Payments and refunds as they stand on the wire. */
import { type ProblemCode, problem, problemTable, type payments as wire } from '@local-plus/contracts';
import { type CoreAnswer, replayedHeaders } from '../platform/http/index.ts';
import type { Failure, Source } from './domain.ts';
import type { RefundRow } from './refunds-store.ts';
import type { PaymentRow } from './store.ts';

export function paymentJson(row: PaymentRow): wire.Payment {
  const { id, amount, currency, status, sources, refunded_amount, refund_order, failure, reference } = row;
  return {
    id,
    amount,
    currency,
    status,
    sources: sources.map(sourceJson),
    refunded_amount,
    refund_order: [...refund_order],
    failure,
    reference,
    expires_at: row.expires_at?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
  };
}

/** As it was when it first was so: what became of it since belongs to other requests. */
export function paymentJsonAt(row: PaymentRow, status: 'held' | 'captured' | 'voided'): wire.Payment {
  const sources = row.sources.map((source): Source => {
    const captureId = status === 'captured' ? source.captureId : null;
    return { ...source, captureId, refundedAmount: 0, refundedPoints: 0 };
  });
  return paymentJson({ ...row, status, sources, refunded_amount: 0, failure: null });
}

/** The refusal of a payment: the same document every time, with the id of the request that met it. */
export function failureAnswer(row: PaymentRow, { code, source }: Failure, replayed: boolean): CoreAnswer {
  const known = code as ProblemCode;
  const { status, title } = problemTable[known];
  const errors = source === null ? [] : [{ pointer: `/sources/${source}`, code, detail: `${title}.` }];
  const body = JSON.stringify(problem(known, row.request_id, undefined, errors));
  return replayed ? { status, body, headers: replayedHeaders } : { status, body };
}

function sourceJson(source: Source): wire.Payment['sources'][number] {
  const { id, amount, points, unit, rate, hold, captureId, refundedAmount, refundedPoints } = source;
  const taken = { hold_id: hold?.id ?? null, capture_id: captureId, refunded_amount: refundedAmount };
  if (source.type === 'giftcard' || rate === null) return { type: 'giftcard', giftcard_id: id, amount, ...taken };
  return { type: 'wallet', wallet_id: id, amount, points, unit, rate, ...taken, refunded_points: refundedPoints };
}

export function refundJson(row: RefundRow): wire.Refund {
  const { id, payment_id, amount, status, parts, reason } = row;
  return {
    id,
    payment_id,
    amount,
    status,
    parts: parts.map((part) => {
      const { source, transactionId: transaction_id, refusal } = part;
      return { source, amount: part.amount, points: part.points, transaction_id, refusal };
    }),
    reason,
    created_at: row.created_at.toISOString(),
  };
}
