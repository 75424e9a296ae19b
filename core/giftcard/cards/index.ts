/**
 * Gift cards: accounts that are issued, loaded, redeemed, blocked, replaced, and that expire. Owner of `giftcards` and
 * `giftcard_activities`.
 *
 * What may be done in which state is one table (contracts, `giftcardActivityTable`). Value moves through the ledger's desk only,
 * and what the ledger knows of a card (balance, holds, blocked or not) stands in no table here.
 */
import type { AccountState, Command } from '@local-plus/actors';
import {
  type AccountId,
  type CatalogItemId,
  type GiftcardId,
  type GiftcardState,
  giftcardAccount,
  type MerchantId,
} from '@local-plus/contracts';
import type { AccountTerms } from '../../ledger/index.ts';
import { newEvents } from '../../outbox/index.ts';
import { Batcher } from '../../platform/batching/index.ts';
import { Directory } from '../../platform/cache/index.ts';
import { type Handlers, ProblemError } from '../../platform/http/index.ts';
import { type Database, DatabaseUnavailable } from '../../platform/postgres/index.ts';
import type { Log, Metrics } from '../../platform/telemetry/index.ts';
import { type ActivityRow, ActivityStore } from './activities-store.ts';
import { type IssueMany, issueMany } from './bulk.ts';
import { type CardRow, checkNoticeDays, stateOf } from './domain.ts';
import { historyHandlers } from './history-handler.ts';
import { issueHandlers } from './issue-handler.ts';
import { type OfferedCard, offers } from './issuing.ts';
import { lifecycleHandlers } from './lifecycle-handler.ts';
import { cardLimits } from './limits.ts';
import { admitted, movementHandlers } from './movements-handler.ts';
import type { Admission, CardPorts, Found, ProgramTerms } from './ports.ts';
import { type PlannedEnd, Settlement } from './settlement.ts';
import { CardStore } from './store.ts';
import { type CardSweepLimits, type CardSweeps, cardSweeps } from './sweeps.ts';

export type { CardBatch, CardOfBatch } from './bulk.ts';
export type { Admission, CardLedger } from './ports.ts';

export interface CardOptions extends Omit<CardPorts, 'nowMs'> {
  readonly database: Pick<Database, 'read' | 'write'>;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Days before a card's end at which it is announced, most first; 30, 7 and 1 by default. */
  readonly noticeDays?: readonly number[];
  /** Unix milliseconds. */
  readonly nowMs?: () => number;
  readonly sweepLimits?: CardSweepLimits;
}

/** What the holder of a card's code is shown. */
export interface CardFacts {
  readonly state: GiftcardState;
  readonly unit: string;
  readonly available: number;
}

export interface CardsModule extends CardSweeps {
  readonly handlers: Handlers;
  /** For the ledger, to which a card is an account; at once when it is in memory; null: there is no such card. */
  readonly accounts: {
    find(accountId: AccountId): Found<AccountTerms>;
    /** Only from memory. */
    known(accountId: AccountId): AccountTerms | undefined;
  };
  /**
   * What the desk is to be ordered, by the state in which the card is now. null: there is no such card. Whose it is, its terms
   * say. Post what it gives with `ledger.desk`, under a key of your own row.
   */
  admit(
    cardId: GiftcardId,
    activity: 'hold' | 'refund',
    command: (terms: AccountTerms) => Command,
  ): Promise<Admission | null>;
  /** null: this merchant has no such card. */
  read(cardId: GiftcardId, merchantId: MerchantId): Promise<CardFacts | null>;
  /** Whether such a card of the item can be issued now. null: there is no such item, or it is another merchant's. */
  offers(itemId: CatalogItemId, card: OfferedCard): Promise<boolean | null>;
  /**
   * Issues, and activates where the batch says so, each card once, however often and by whomever this is asked: of those that
   * are there already, what is missing is done. Resolves when all of them are durable.
   *
   * Throws a `ProblemError`: one that is not retryable is a refusal, of one of them at least (`not_found`,
   * `giftcard_not_offered`, `expires_on_passed`, `out_of_stock`); after any other, and after `DatabaseUnavailable`, some of
   * the cards may be there, and the same call goes on.
   */
  readonly issueMany: IssueMany;
}

type CardTerms = AccountTerms & { readonly kind: 'giftcard' };

export function createCardsModule(options: CardOptions): CardsModule {
  const { database, metrics, ledger, nowMs = Date.now, noticeDays = cardLimits.noticeDays } = options;
  checkNoticeDays(noticeDays);
  const store = new CardStore(database);
  const activities = new ActivityStore(database);
  const bounds = {
    batchMax: cardLimits.batchMax,
    waitingMax: cardLimits.waitingMax,
    concernsAll: (error: unknown) => error instanceof DatabaseUnavailable,
    refusal: () => new ProblemError('overloaded'),
  };
  const rows = new Batcher<GiftcardId, CardRow | null>({ ...bounds, run: (ids) => store.findMany(ids) });
  const ends = new Batcher<PlannedEnd, ActivityRow>({ ...bounds, run: (all) => endAll(activities, all, nowMs()) });
  const directory = new Directory<AccountId, CardRow, ProgramTerms, CardTerms>({
    heldMax: cardLimits.heldMax,
    rowOf: (accountId) => rows.submit(accountId as string as GiftcardId),
    parentOf: (row) => options.programs.find(row.program_id),
    join: termsOf,
  });
  metrics.gauge('giftcard_directory_held', 'Gift cards in memory.', () => [{ value: directory.counts.held }]);
  metrics.counter('giftcard_directory_total', 'Look-ups of gift cards, by whether they were in memory.', () => [
    { labels: { result: 'hit' }, value: directory.counts.hits },
    { labels: { result: 'miss' }, value: directory.counts.misses },
  ]);
  const settlement = new Settlement({ ...options, rows, ends, nowMs });
  const ports = { ...options, rows, store, activities, settlement, noticeDays, nowMs };
  const { sweepLimits } = options;
  return {
    ...cardSweeps({ ...ports, ...(sweepLimits === undefined ? {} : { limits: sweepLimits }) }),
    handlers: {
      ...issueHandlers(ports),
      ...movementHandlers(ports),
      ...lifecycleHandlers(ports),
      ...historyHandlers(ports),
    },
    accounts: {
      find: (accountId) => directory.find(accountId),
      known: (accountId) => directory.known(accountId),
    },
    async admit(cardId, activity, command) {
      const card = await rows.submit(cardId);
      const terms = card === null ? null : await options.accounts.find(giftcardAccount(cardId));
      if (card === null || terms === null) return null;
      return { terms, command: admitted(card, activity, command(terms), nowMs()) };
    },
    async read(cardId, merchantId) {
      const card = await rows.submit(cardId);
      if (card === null || card.merchant_id !== merchantId) return null;
      const state: AccountState = await ledger.read(giftcardAccount(cardId));
      return { state: stateOf(card, state, nowMs()), unit: card.unit, available: state.balance - state.held };
    },
    offers: (itemId, card) => offers(ports, itemId, card),
    issueMany: (batch, cards) => issueMany(ports, batch, cards),
  };
}

function endAll(activities: ActivityStore, all: readonly PlannedEnd[], nowMs: number): Promise<readonly ActivityRow[]> {
  const told = all.flatMap(({ ending, event }) => (event === null ? [] : [{ of: ending.id, event }]));
  return activities.end(
    all.map(({ ending }) => ending),
    newEvents(told, nowMs),
  );
}

/** What all cards of a program have in common is the program's: they share its texts. */
function termsOf(row: CardRow, { merchantId, programId, unit, rules }: ProgramTerms): CardTerms {
  return { kind: 'giftcard', accountId: giftcardAccount(row.id), merchantId, programId, unit, rules };
}
