/**
 * What a card is: its state from its row and its account, what the state forbids, and when its time is over. Pure.
 *
 * What may be done in which state stands in contracts, `giftcardActivityTable`. The row knows three of the states for good:
 * a card that is pending, expired or deactivated by it is so, and nothing brings it back. The ledger knows the rest.
 */
import type { AccountState, DeclineCode } from '@local-plus/actors';
import {
  type CatalogItemId,
  type GiftcardActivityKind,
  type GiftcardBatchId,
  type GiftcardId,
  type GiftcardState,
  isAllowed,
  type MerchantId,
  type ProblemCode,
  type ProgramId,
} from '@local-plus/contracts';
import { ZoneCalendar } from '../../platform/time/index.ts';
import { cardLimits } from './limits.ts';

export type CardStatus = 'pending' | 'active' | 'expired' | 'deactivated';

export interface CardRow {
  readonly id: GiftcardId;
  readonly merchant_id: MerchantId;
  readonly program_id: ProgramId;
  readonly unit: string;
  readonly initial_amount: number;
  readonly status: CardStatus;
  readonly catalog_item_id: CatalogItemId | null;
  readonly batch_id: GiftcardBatchId | null;
  readonly customer_id: string | null;
  readonly external_id: string | null;
  readonly last_four: string | null;
  readonly has_pin: boolean;
  /** `YYYY-MM-DD` */
  readonly expires_on: string | null;
  readonly expires_at: Date | null;
  readonly replaces: GiftcardId | null;
  readonly replaced_by: GiftcardId | null;
  readonly activated_at: Date | null;
  readonly deactivated_at: Date | null;
  readonly settle_at: Date | null;
  readonly notice_at: Date | null;
  readonly created_at: Date;
}

type Standing = Pick<CardRow, 'status' | 'expires_at'>;
export type Balance = Pick<AccountState, 'balance' | 'held' | 'frozen'>;

/** The states that the row alone decides; null: the ledger does. */
export function statusOf(
  { status, expires_at }: Standing,
  nowMs: number,
): 'pending' | 'expired' | 'deactivated' | null {
  if (status === 'deactivated' || status === 'expired') return status;
  if (expires_at !== null && expires_at.getTime() <= nowMs) return 'expired';
  return status === 'pending' ? 'pending' : null;
}

/** What is shown. */
export function stateOf(card: Standing, { balance, frozen }: Balance, nowMs: number): GiftcardState {
  const known = statusOf(card, nowMs);
  if (known !== null) return known;
  if (frozen) return 'blocked';
  // What is held is part of the balance.
  return balance > 0 ? 'active' : 'exhausted';
}

/** Why the row forbids an activity that the ledger would decide; null: it does not. */
export function barOf(card: Standing, activity: GiftcardActivityKind, nowMs: number): DeclineCode | null {
  const known = statusOf(card, nowMs);
  return known === null || isAllowed(activity, known) ? null : `giftcard_${known}`;
}

/** Why an activity that begins with the row is refused, the row being as it is. */
export function refusalOf(card: CardRow, activity: GiftcardActivityKind, nowMs: number): ProblemCode | null {
  const bar = barOf(card, activity, nowMs);
  if (bar !== null) return bar;
  if (activity === 'activate') return 'giftcard_active';
  if (activity === 'unlink') return card.customer_id === null ? 'giftcard_not_linked' : null;
  if (activity === 'link') return card.customer_id === null ? null : 'giftcard_linked';
  return null;
}

/** The statuses, as written, in which an activity may begin: the ledger decides between the states of `active`. */
export function statusesBefore(activity: GiftcardActivityKind): readonly CardStatus[] {
  const ofActive = (['active', 'exhausted', 'blocked'] as const).some((state) => isAllowed(activity, state));
  return [
    ...(isAllowed(activity, 'pending') ? (['pending'] as const) : []),
    ...(ofActive ? (['active'] as const) : []),
  ];
}

const dayOf = (date: string): number => Date.parse(`${date}T00:00:00Z`) / cardLimits.dayMs;

/** The moment at which a day, `YYYY-MM-DD`, is over in a time zone. */
export function endOfDate(date: string, timeZone: string): Date {
  return new Date(new ZoneCalendar(timeZone).endOfDay(dayOf(date)));
}

/** The same day of the month, so many months later in a time zone; the last one of a month that has no such day. */
export function dateInMonths(nowMs: number, months: number, timeZone: string): string {
  const today = new Date(new ZoneCalendar(timeZone).at(nowMs).day * cardLimits.dayMs);
  const [year, month] = [today.getUTCFullYear(), today.getUTCMonth() + months];
  const lastDate = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  return new Date(Date.UTC(year, month, Math.min(today.getUTCDate(), lastDate))).toISOString().slice(0, 10);
}

/** When it is to be said next that a card expires, and how many days are left then; null: not any more. */
export function nextNotice(
  expiresAt: Date | null,
  afterMs: number,
  noticeDays: readonly number[],
): { readonly at: Date; readonly daysLeft: number } | null {
  if (expiresAt === null) return null;
  for (const daysLeft of noticeDays) {
    const atMs = expiresAt.getTime() - daysLeft * cardLimits.dayMs;
    if (atMs > afterMs) return { at: new Date(atMs), daysLeft };
  }
  return null;
}

/** Whole days until it expires, begun ones counted. */
export function daysLeftOf(expiresAt: Date, nowMs: number): number {
  return Math.max(Math.ceil((expiresAt.getTime() - nowMs) / cardLimits.dayMs), 0);
}

/** Checks what is configured: days, most first, each once. */
export function checkNoticeDays(days: readonly number[]): void {
  const isDescending = days.every((count, index) => index === 0 || count < (days[index - 1] as number));
  const areDays = days.every((count) => Number.isSafeInteger(count) && count >= 1 && count <= cardLimits.noticeDaysMax);
  if (!isDescending || !areDays) throw new Error('limits: days of notice are whole, and the most come first');
}
