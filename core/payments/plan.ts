/** From what a payment asks to what each of its sources has to give: by the rates in force, never by the caller's word. */
import { type AccountState, spendableOf } from '@local-plus/actors';
import type { AccountId, MerchantId, payments as wire } from '@local-plus/contracts';
import { type CoreAnswer, type CoreRequest, callingMerchant, ProblemError } from '../platform/http/index.ts';
import { amountFor, amountsOf, pointsFor, type Rate, type Source } from './domain.ts';
import type { FoundSource, Sources } from './ports.ts';
import type { RateStore } from './rates.ts';

export interface PlanPorts {
  readonly sources: Sources;
  readonly rates: Pick<RateStore, 'inForce'>;
}

export interface QuotePorts extends PlanPorts {
  /** The committed state; rejects with `unavailable`. */
  readonly states: { read(accountId: AccountId): Promise<AccountState> };
  readonly nowMs: () => number;
}

type Asked = Pick<wire.CreatePayment, 'amount' | 'currency' | 'sources'>;

interface Planned {
  readonly source: Source;
  readonly found: FoundSource;
}

/**
 * Throws `not_found` for a source that is none of the merchant's, `payment_rate_missing`, `payment_quote_changed`,
 * `currency_mismatch`, and `invalid_request` for more points than a transaction moves.
 */
export async function planned(ports: PlanPorts, merchantId: MerchantId, asked: Asked): Promise<readonly Planned[]> {
  const amounts = amountsOf(asked);
  const rates = new Map<string, Promise<Rate | null>>();
  const plans: Planned[] = [];
  for (const [place, wanted] of asked.sources.entries()) {
    const id = idOf(wanted);
    const found = await ports.sources.find(wanted.type, id);
    if (found === null || found.terms.merchantId !== merchantId) throw at(place, 'not_found');
    const amount = amounts[place] as number;
    const { unit, programId } = found.terms;
    if (found.currency !== null) {
      if (found.currency !== asked.currency) throw at(place, 'currency_mismatch');
      plans.push({ found, source: newSource(wanted.type, id, unit, amount, amount, null) });
      continue;
    }
    const reading = rates.get(programId) ?? ports.rates.inForce(programId, asked.currency);
    rates.set(programId, reading);
    const rate = await reading;
    if (rate === null) throw at(place, 'payment_rate_missing');
    const points = pointsFor(amount, rate);
    if (points === null) throw at(place, 'invalid_request', 'It takes more points than one transaction moves.');
    if (wanted.type === 'wallet' && wanted.points !== undefined && wanted.points !== points) {
      throw at(place, 'payment_quote_changed', `It takes ${points} points.`);
    }
    plans.push({ found, source: newSource(wanted.type, id, unit, amount, points, rate) });
  }
  return plans;
}

export async function quote(ports: QuotePorts, request: CoreRequest<'payments.quote'>): Promise<CoreAnswer> {
  const { body } = request;
  const plans = await planned(ports, callingMerchant(request.context), body);
  const sources: wire.QuotedPayment['sources'] = [];
  for (const { source, found } of plans) {
    const state = await ports.states.read(found.terms.accountId);
    const available = spendableOf(state, ports.nowMs());
    const { amount, points, unit, rate } = source;
    if (source.type === 'giftcard' || rate === null) {
      const shown = { type: 'giftcard', giftcard_id: source.id, amount, available } as const;
      sources.push({ ...shown, amount_max: Math.max(available, 0) });
    } else {
      const shown = { type: 'wallet', wallet_id: source.id, amount, points, unit, rate, available } as const;
      sources.push({ ...shown, amount_max: amountFor(available, rate) });
    }
  }
  const answer: wire.QuotedPayment = { amount: body.amount, currency: body.currency, sources };
  return { status: 200, body: JSON.stringify(answer) };
}

export function idOf(source: wire.PaymentSource): string {
  return source.type === 'wallet' ? source.wallet_id : source.giftcard_id;
}

function newSource(
  type: Source['type'],
  id: string,
  unit: string,
  amount: number,
  points: number,
  rate: Rate | null,
): Source {
  const nothingYet = { hold: null, captureId: null, refundedAmount: 0, refundedPoints: 0, undoTries: 0 };
  return { type, id, unit, amount, points, rate, ...nothingYet };
}

function at(
  place: number,
  code: 'not_found' | 'invalid_request' | 'payment_rate_missing' | 'payment_quote_changed' | 'currency_mismatch',
  detail?: string,
): ProblemError {
  const pointer = `/sources/${place}`;
  return new ProblemError(code, { detail, errors: [{ pointer, code, detail: detail ?? `Source ${place}.` }] });
}
