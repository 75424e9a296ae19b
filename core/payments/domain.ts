/**
 * Payments: their states, and how an amount becomes points and goes back. Pure.
 *
 *     holding → held → capturing → captured          a payment that is captured at once skips `held`
 *         └───────┴────────┴→ releasing → failed | voided
 *
 * - P1 each state is durable before the first movement that it allows: a process that dies leaves a row that says what may
 *   have moved, and every movement has a key made of it.
 * - P2 `holding` is left only when each source's hold is posted or refused, for ever: nobody who is late can add one.
 * - P3 all or nothing: from `capturing` every capture is tried until it is posted or refused; one refusal undoes the others.
 * - P4 `releasing` gives back whatever was taken: a hold by its release, a capture by its reversal.
 */
import { limits, type payments as wire } from '@local-plus/contracts';

export type Status = wire.PaymentStatus;
export type SourceType = wire.PaymentSource['type'];

/** What happens to a payment. */
export type Happening = 'held' | 'decided' | 'captured' | 'refused' | 'abandoned' | 'undone' | 'freed';

/** `decided`: to capture. What was refused is `undone` in the end, what was abandoned is `freed`. */
export const transitions: Readonly<Record<Status, Readonly<Partial<Record<Happening, Status>>>>> = {
  holding: { held: 'held', decided: 'capturing', refused: 'releasing' },
  held: { decided: 'capturing', abandoned: 'releasing' },
  capturing: { captured: 'captured', refused: 'releasing' },
  releasing: { undone: 'failed', freed: 'voided' },
  captured: {},
  failed: {},
  voided: {},
};

/** The state after it; throws for what cannot happen there. */
export function after(status: Status, happening: Happening): Status {
  const next = transitions[status][happening];
  if (next === undefined) throw new TypeError(`a payment that is ${status} cannot be ${happening}`);
  return next;
}

/** `points` points pay `amount` of the smallest unit of a currency. */
export interface Rate {
  readonly version: number;
  readonly points: number;
  readonly amount: number;
}

/** A source as the payment keeps it. */
export interface Source {
  readonly type: SourceType;
  /** The wallet's or the gift card's. */
  readonly id: string;
  readonly unit: string;
  /** What it pays, in the payment's currency. */
  readonly amount: number;
  /** What its account gives, in the account's unit. */
  readonly points: number;
  /** null: the account is in the payment's currency. */
  readonly rate: Rate | null;
  /** The transaction that holds it, and that one's version. */
  readonly hold: { readonly id: string; readonly version: number } | null;
  readonly captureId: string | null;
  /** What of it went back, or is on its way back. */
  readonly refundedAmount: number;
  readonly refundedPoints: number;
  /** Reversals of its capture that were refused while the payment was undone: the next one needs another key. */
  readonly undoTries: number;
}

export interface Failure {
  /** A problem code. */
  readonly code: string;
  /** Its place; null: no source's fault. */
  readonly source: number | null;
}

/** What an amount takes: rounded up, so that nothing is paid with less than the rate says. null: more than one transaction moves. */
export function pointsFor(amount: number, rate: Pick<Rate, 'points' | 'amount'>): number | null {
  const [points, per] = [BigInt(rate.points), BigInt(rate.amount)];
  const needed = (BigInt(amount) * points + per - 1n) / per;
  return needed <= BigInt(limits.amountMax) ? Number(needed) : null;
}

/** What so many points pay: the greatest amount that takes no more of them. */
export function amountFor(points: number, rate: Pick<Rate, 'points' | 'amount'>): number {
  const amount = (BigInt(Math.max(points, 0)) * BigInt(rate.amount)) / BigInt(rate.points);
  return Number(amount < BigInt(limits.balanceMax) ? amount : limits.balanceMax);
}

/** What each source pays, in their order: at most one says nothing, and pays the rest. */
export function amountsOf({ amount, sources }: Pick<wire.CreatePayment, 'amount' | 'sources'>): readonly number[] {
  const said = sources.reduce((sum, source) => sum + (source.amount ?? 0), 0);
  return sources.map((source) => source.amount ?? amount - said);
}

/** The last source that was taken from gets money back first. */
export function usualRefundOrder(count: number): readonly number[] {
  return Array.from({ length: count }, (_, place) => count - 1 - place);
}

/** What of a refund goes to one source. */
export interface RefundPart {
  readonly source: number;
  readonly amount: number;
  readonly points: number;
}

/**
 * Splits an amount over what is left of the sources, in their refund order. Points are those of all refunds so far, rounded
 * down, less what went back already: so parts add up to exactly what was taken, however it is cut.
 */
export function refundParts(sources: readonly Source[], order: readonly number[], amount: number): RefundPart[] {
  const parts: RefundPart[] = [];
  let left = amount;
  for (const place of order) {
    const source = sources[place] as Source;
    const part = Math.min(left, source.amount - source.refundedAmount);
    if (part === 0) continue;
    left -= part;
    const total = (BigInt(source.points) * BigInt(source.refundedAmount + part)) / BigInt(source.amount);
    parts.push({ source: place, amount: part, points: Math.max(Number(total) - source.refundedPoints, 0) });
  }
  if (left !== 0) throw new RangeError('a refund is no more than what is left of its payment');
  return parts;
}

/** The sources with parts of a refund counted (1), or not counted any more (−1). */
export function countedIn(sources: readonly Source[], parts: readonly RefundPart[], sign: 1 | -1): readonly Source[] {
  return sources.map((source, place) => {
    const part = parts.find((each) => each.source === place);
    if (part === undefined) return source;
    const refundedAmount = source.refundedAmount + sign * part.amount;
    return { ...source, refundedAmount, refundedPoints: source.refundedPoints + sign * part.points };
  });
}
