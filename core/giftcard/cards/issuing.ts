/** What a new card is made of, and what is wrong with it: for one card, and for many. */
import { type CatalogItemId, type GiftcardId, type MerchantId, parseId } from '@local-plus/contracts';
import { ProblemError } from '../../platform/http/index.ts';
import { type ItemFacts, sellsAmount } from '../catalog/index.ts';
import { dateInMonths, endOfDate, nextNotice } from './domain.ts';
import { cardLimits } from './limits.ts';
import type { HandlerPorts, ProgramTerms } from './ports.ts';
import type { NewCard } from './store.ts';

/** The last day of a card, and the moment at which it is over. */
export interface Lifetime {
  /** `YYYY-MM-DD` */
  readonly on: string;
  readonly at: Date;
}

/** A card as it would be issued. */
export interface OfferedCard {
  readonly merchantId: MerchantId;
  readonly amount: number;
  readonly unit: string;
}

type Ports = Pick<HandlerPorts, 'catalog' | 'timeZone' | 'nowMs' | 'noticeDays'>;

/** Throws `not_found` for an item that the merchant cannot sell, `giftcard_not_offered` for one that offers no such card. */
export async function offeredItem(
  ports: Ports,
  { merchantId, unit }: ProgramTerms,
  id: string,
  amount: number,
): Promise<ItemFacts> {
  const itemId = parseId<CatalogItemId>(id);
  const item = itemId === null ? null : await itemOf(ports, itemId, merchantId);
  if (item === null) throw new ProblemError('not_found');
  const detail = whyNotOffered(item, unit, amount);
  if (detail !== null) throw new ProblemError('giftcard_not_offered', { detail });
  return item;
}

/** See `CardsModule.offers`. */
export async function offers(ports: Ports, itemId: CatalogItemId, card: OfferedCard): Promise<boolean | null> {
  const item = await itemOf(ports, itemId, card.merchantId);
  return item === null ? null : whyNotOffered(item, card.unit, card.amount) === null;
}

/** null: there is no such item, or it is another merchant's. */
async function itemOf({ catalog }: Ports, itemId: CatalogItemId, merchantId: MerchantId): Promise<ItemFacts | null> {
  const item = await catalog.find(itemId);
  const isTheirs = item !== null && (item.merchantId === null || item.merchantId === merchantId);
  return isTheirs ? item : null;
}

function whyNotOffered(item: ItemFacts, unit: string, amount: number): string | null {
  if (item.kind !== 'gift_card') return 'The item is no gift card.';
  if (item.status !== 'published') return 'The item is not published.';
  if (item.currency !== unit) return `The item is of ${item.currency}, the program of ${unit}.`;
  return sellsAmount(item, amount) ? null : `Of the item there are no cards of ${amount}.`;
}

/** Throws `expires_on_passed`. null: it never ends. */
export async function lifetimeOf(
  { timeZone, nowMs }: Ports,
  merchantId: MerchantId,
  wanted: string | null,
  validityMonths: number | null,
): Promise<Lifetime | null> {
  if (wanted === null && validityMonths === null) return null;
  const zone = await timeZone(merchantId);
  const on = wanted ?? dateInMonths(nowMs(), validityMonths ?? 0, zone);
  const at = endOfDate(on, zone);
  if (at.getTime() <= nowMs()) throw new ProblemError('expires_on_passed');
  return { on, at };
}

/** Without what is particular to how it is issued. */
export function newCard(
  { nowMs, noticeDays }: Ports,
  { merchantId, programId, unit }: ProgramTerms,
  card: {
    readonly id: GiftcardId;
    readonly amount: number;
    readonly customerId: string | null;
    readonly hasPin: boolean;
    readonly lifetime: Lifetime | null;
  },
): Omit<NewCard, 'activity'> {
  const expiresAt = card.lifetime?.at ?? null;
  return {
    id: card.id,
    merchant_id: merchantId,
    program_id: programId,
    unit,
    initial_amount: card.amount,
    catalog_item_id: null,
    batch_id: null,
    customer_id: card.customerId,
    external_id: null,
    last_four: null,
    has_pin: card.hasPin,
    expires_on: card.lifetime?.on ?? null,
    expires_at: expiresAt,
    replaces: null,
    settle_at: expiresAt === null ? null : new Date(expiresAt.getTime() + cardLimits.settleAfterMs),
    notice_at: nextNotice(expiresAt, nowMs(), noticeDays)?.at ?? null,
  };
}
