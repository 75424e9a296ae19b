/** Wire ↔ rates at which points pay: set, read. Setting one is an administrative change. */
import { limits, type payments as wire } from '@local-plus/contracts';
import { auditEntry } from '../audit/index.ts';
import {
  attempts,
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  type Handlers,
  ProblemError,
  settled,
} from '../platform/http/index.ts';
import { type ProgramOwner, type Programs, seenProgram } from '../program/index.ts';
import { paymentLimits } from './limits.ts';
import { type RateRow, type RateStore, rateOf } from './rates.ts';

export interface RatePorts {
  readonly rates: RateStore;
  readonly programs: Programs<ProgramOwner>;
  readonly nowMs: () => number;
}

const VERSION = /^[1-9][0-9]{0,5}$/;

export function rateHandlers(ports: RatePorts): Handlers {
  return {
    'payments.set_rate': (request) => set(ports, request),
    'payments.rates': (request) => list(ports, request),
  };
}

async function set(ports: RatePorts, request: CoreRequest<'payments.set_rate'>): Promise<CoreAnswer> {
  const { rates, nowMs } = ports;
  const { programId, merchantId } = await seenProgram(ports.programs, request);
  const { currency, rate } = request.body;
  const { points, amount } = rate ?? { points: null, amount: null };
  const key = creationKey(request, [programId, currency, points, amount]);
  return attempts(paymentLimits.triesMax, request.deadlineMs, async () => {
    const before = await rates.newest(programId, currency);
    const entry = auditEntry(
      {
        merchantId,
        context: request.context,
        requestId: request.requestId,
        action: 'payment_rate.set',
        targetType: 'program',
        targetId: programId,
        before: before === null ? null : { currency, rate: rateJson(before).rate },
        after: { currency, rate },
      },
      nowMs(),
    );
    const outcome = await rates.create(key, { program_id: programId, currency, points, amount }, entry);
    if (outcome.type !== 'conflict') {
      const { row, replayed } = settled(outcome);
      return createdAnswer(rateJson(row), replayed);
    }
    const [newest] = await rates.page(programId, limits.paymentRatesMax, 1);
    if (newest?.version === limits.paymentRatesMax) throw new ProblemError('versions_limit_exceeded');
    return null;
  });
}

async function list(ports: RatePorts, request: CoreRequest<'payments.rates'>): Promise<CoreAnswer> {
  const { programId } = await seenProgram(ports.programs, request);
  const { limit, cursor } = request.queryValues;
  const from = cursor === undefined ? limits.paymentRatesMax : VERSION.test(cursor) ? Number(cursor) : null;
  if (from === null || from > limits.paymentRatesMax) throw new ProblemError('invalid_cursor');
  const rows = await ports.rates.page(programId, from, limit + 1);
  const next = rows[limit];
  const data = rows.slice(0, limit).map(rateJson);
  const page = { data, next_cursor: next === undefined ? null : String(next.version) };
  return { status: 200, body: JSON.stringify(page) };
}

function rateJson(row: RateRow): wire.PaymentRate {
  const { program_id, version, currency } = row;
  const rate = rateOf(row);
  return {
    program_id,
    version,
    currency,
    rate: rate === null ? null : { points: rate.points, amount: rate.amount },
    created_at: row.created_at.toISOString(),
  };
}
