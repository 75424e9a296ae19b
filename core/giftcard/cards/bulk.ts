/**
 * Many cards at once, each under an id that the caller gives it.
 *
 * - B1 a card is issued once, by its id: those that are there are left as they are, and only brought to their end.
 * - B2 what is said of a card is what its own row says: so it is the same whoever asks, and however often.
 * - B3 who is overtaken by others who issue the same cards finds them there, and goes on with what is still missing.
 */
import {
  type CatalogItemId,
  type GiftcardBatchId,
  type GiftcardId,
  type MerchantId,
  type Problem,
  type ProgramId,
  type RequestId,
  uuidV7,
} from '@local-plus/contracts';
import { newEvents } from '../../outbox/index.ts';
import { attempts, ProblemError } from '../../platform/http/index.ts';
import { UniqueViolation } from '../../platform/postgres/index.ts';
import type { ActivityRow } from './activities-store.ts';
import { type Lifetime, lifetimeOf, newCard, offeredItem } from './issuing.ts';
import { cardLimits } from './limits.ts';
import type { HandlerPorts, ProgramTerms } from './ports.ts';
import type { NewCard } from './store.ts';
import { activityEvent } from './wire.ts';

/** What all cards of a batch have in common. */
export interface CardBatch {
  /** null: they are of no bulk issue. */
  readonly batchId: GiftcardBatchId | null;
  readonly merchantId: MerchantId;
  /** One of the merchant's; its unit is the cards' currency. */
  readonly programId: ProgramId;
  readonly catalogItemId: CatalogItemId | null;
  /** What each is activated with, in the smallest unit; 0: nothing. */
  readonly amount: number;
  /** `YYYY-MM-DD`: the last day in the merchant's time zone; null: as the catalog item says, or never. */
  readonly expiresOn: string | null;
  /** false: they stay pending. */
  readonly activate: boolean;
  /** Whether their codes have PINs. */
  readonly hasPin: boolean;
  readonly requestId: RequestId;
}

export interface CardOfBatch {
  readonly cardId: GiftcardId;
  /** Of its code, which it has already. */
  readonly lastFour: string;
}

export type IssueMany = (batch: CardBatch, cards: readonly CardOfBatch[]) => Promise<void>;

/** See `CardsModule.issueMany`. */
export async function issueMany(ports: HandlerPorts, batch: CardBatch, cards: readonly CardOfBatch[]): Promise<void> {
  const rows = await attempts(cardLimits.issuesMax, Number.POSITIVE_INFINITY, () => begin(ports, batch, cards));
  const refused = (await settleAll(ports, rows)).find(({ status }) => status === 'refused');
  if (refused?.problem) throw new ProblemError((JSON.parse(refused.problem) as Problem).code);
}

/** How each was begun, by whomever; null: others began some of them at the same moment (B3). */
async function begin(
  ports: HandlerPorts,
  batch: CardBatch,
  cards: readonly CardOfBatch[],
): Promise<readonly ActivityRow[] | null> {
  const ids = cards.map(({ cardId }) => cardId);
  const there = await ports.activities.beginningsOf(ids);
  const known = new Set(there.map(({ card_id }) => card_id));
  const missing = cards.filter(({ cardId }) => !known.has(cardId));
  if (missing.length === 0) return there;
  try {
    await write(ports, batch, missing);
  } catch (error) {
    // A card that is there by now, and was not when the statement began: nothing of the statement has happened.
    if (error instanceof UniqueViolation) return null;
    throw error;
  }
  return ports.activities.beginningsOf(ids);
}

/** Throws what is wrong with all of them. */
async function write(ports: HandlerPorts, batch: CardBatch, cards: readonly CardOfBatch[]): Promise<void> {
  const { merchantId, catalogItemId, amount, expiresOn, requestId } = batch;
  const program = await ports.programs.find(batch.programId);
  if (program === null || program.merchantId !== merchantId) throw new ProblemError('not_found');
  const item = catalogItemId === null ? null : await offeredItem(ports, program, catalogItemId, amount);
  const lifetime = await lifetimeOf(ports, merchantId, expiresOn, item?.validityMonths ?? null);
  const nowMs = ports.nowMs();
  const made = cards.map((card) => cardOf(ports, batch, { program, lifetime, hasStock: item !== null }, card, nowMs));
  const cause = { requestId, traceparent: null };
  const events = made.map((card) => ({
    of: card.id,
    event: activityEvent(card, 'issue', { id: card.activity.id, related: null }, cause),
  }));
  await ports.store.issueMany(made, newEvents(events, nowMs));
}

interface Checked {
  readonly program: ProgramTerms;
  readonly lifetime: Lifetime | null;
  readonly hasStock: boolean;
}

function cardOf(
  ports: HandlerPorts,
  { batchId, amount, activate, hasPin, requestId, merchantId, catalogItemId }: CardBatch,
  { program, lifetime, hasStock }: Checked,
  { cardId, lastFour }: CardOfBatch,
  nowMs: number,
): NewCard {
  return {
    ...newCard(ports, program, { id: cardId, amount, customerId: null, hasPin, lifetime }),
    catalog_item_id: catalogItemId,
    batch_id: batchId,
    last_four: lastFour,
    activity: {
      id: uuidV7(nowMs),
      merchant_id: merchantId,
      activity: 'issue',
      activates: activate,
      status: activate || hasStock ? 'open' : 'done',
      creator: null,
      idempotency_key: null,
      request_hash: null,
      request_id: requestId,
      traceparent: null,
      created_at: new Date(nowMs),
    },
  };
}

/** A few at a time; the first trouble ends it, when what is under way has come to its end. */
async function settleAll({ settlement }: HandlerPorts, rows: readonly ActivityRow[]): Promise<readonly ActivityRow[]> {
  const ended: ActivityRow[] = [];
  const troubles: unknown[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < rows.length && troubles.length === 0) {
      const row = rows[next++] as ActivityRow;
      try {
        ended.push(await settlement.settle(row, performance.now() + cardLimits.stepMs));
      } catch (error) {
        troubles.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: cardLimits.issuingMax }, worker));
  if (troubles.length > 0) throw troubles[0];
  return ended;
}
