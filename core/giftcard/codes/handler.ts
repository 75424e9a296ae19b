/**
 * Wire ↔ codes: look a card up, unlock its PIN.
 *
 * - L1 a code that nobody has, one of another merchant, and one whose card is not there are one answer, `not_found`, after the
 *   same work: hashes, statements, and the question to the cards (for a card that nobody has, where there is none).
 * - L2 who has the code is told whether its PIN is missing, wrong, or locked. That is safe: the code is the secret that nobody
 *   can guess, and whoever has it would see from the refusal alone that there is a PIN. A locked card does not look at PINs, so
 *   its answer tells nothing of them, and a wrong PIN is told apart only from as many tries as the lock allows anyway.
 * - L3 look-ups that fail are counted before they are made, per caller and per merchant; wrong PINs are among them.
 */
import {
  type EdgeContext,
  type GiftcardId,
  type giftcardCodes,
  type MerchantId,
  type ProblemCode,
  parseId,
  uuidV7,
} from '@local-plus/contracts';
import { auditEntry } from '../../audit/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  callingMerchant,
  createdAnswer,
  type Handlers,
  keyOf,
  ProblemError,
} from '../../platform/http/index.ts';
import type { Failures } from './failures.ts';
import type { CodeBook, FoundCode } from './ports.ts';
import type { CodeStore, PinRow } from './store.ts';

/** What a look-up shows of a card; the cards module knows it. */
export type CardFacts = Pick<giftcardCodes.LookedUp, 'state' | 'unit' | 'available'>;

export interface CardReader {
  /** null: this merchant has no such card. */
  read(cardId: GiftcardId, merchantId: MerchantId): Promise<CardFacts | null>;
}

/** How look-ups ended, for the metrics. */
export type LookUpEnd = 'found' | Exclude<FoundCode['type'], 'found'> | 'rate_limited';

export interface HandlerPorts {
  readonly book: CodeBook;
  readonly store: CodeStore;
  readonly cards: CardReader;
  readonly failures: Failures;
  readonly nowMs: () => number;
  readonly count: (end: LookUpEnd) => void;
}

export function codeHandlers(ports: HandlerPorts): Handlers {
  return {
    'giftcards.lookup': (request) => lookUp(ports, request),
    'giftcard_codes.unlock_pin': (request) => unlockPin(ports, request),
  };
}

async function lookUp(ports: HandlerPorts, request: CoreRequest<'giftcards.lookup'>): Promise<CoreAnswer> {
  const merchantId = callingMerchant(request.context);
  const { failures, count } = ports;
  const caller = callerOf(request.context);
  const waitMs = failures.take(merchantId, caller);
  if (waitMs > 0) {
    count('rate_limited');
    throw new ProblemError('rate_limited', {
      detail: 'Too many look-ups have failed.',
      retryAfterS: Math.ceil(waitMs / 1_000),
    });
  }
  let isFailure = false;
  try {
    return await answerOf(ports, request, merchantId);
  } catch (error) {
    isFailure = error instanceof ProblemError && guesses.has(error.code);
    throw error;
  } finally {
    if (!isFailure) failures.giveBack(merchantId, caller);
  }
}

/** What looks like guessing. */
const guesses: ReadonlySet<ProblemCode> = new Set(['not_found', 'giftcard_pin_wrong', 'giftcard_pin_locked']);

/** A customer is one by its subject, whatever token it has. */
function callerOf({ subject }: EdgeContext): string {
  return subject;
}

/** L1, L2. */
async function answerOf(
  { book, cards, count }: HandlerPorts,
  { body }: CoreRequest<'giftcards.lookup'>,
  merchantId: MerchantId,
): Promise<CoreAnswer> {
  const { code, pin = null } = body;
  const found = await book.find(merchantId, code, pin);
  const card = await cards.read(found.type === 'unknown' ? uuidV7<GiftcardId>(0) : found.cardId, merchantId);
  const end = card === null ? 'unknown' : found.type;
  count(end);
  switch (found.type) {
    case 'unknown':
      throw new ProblemError('not_found');
    case 'pin_missing':
      throw new ProblemError(card === null ? 'not_found' : 'giftcard_pin_missing');
    case 'pin_wrong':
      throw new ProblemError(card === null ? 'not_found' : 'giftcard_pin_wrong');
    case 'pin_locked':
      if (card === null) throw new ProblemError('not_found');
      throw new ProblemError('giftcard_pin_locked', { retryAfterS: Math.ceil(found.forMs / 1_000) });
    case 'found': {
      if (card === null) throw new ProblemError('not_found');
      await book.welcome(merchantId, code, pin, found);
      const { state, unit, available } = card;
      const answer: giftcardCodes.LookedUp = {
        giftcard_id: found.cardId,
        state,
        unit,
        available,
        last_four: found.lastFour,
      };
      return { status: 200, body: JSON.stringify(answer) };
    }
  }
}

async function unlockPin(ports: HandlerPorts, request: CoreRequest<'giftcard_codes.unlock_pin'>): Promise<CoreAnswer> {
  const merchantId = callingMerchant(request.context);
  const cardId = parseId<GiftcardId>(request.params[0] ?? '');
  const key = keyOf(request);
  const before = cardId === null ? null : await ports.store.pin(cardId, merchantId);
  if (cardId === null || before === null) throw new ProblemError('not_found');
  const entry = auditEntry(
    {
      merchantId,
      context: request.context,
      requestId: request.requestId,
      action: 'giftcard.unlock_pin',
      targetType: 'giftcard',
      targetId: cardId,
      before: { pin_locked_until: before.pin_locked_until?.toISOString() ?? null },
      after: { pin_locked_until: null },
    },
    ports.nowMs(),
  );
  const unlocked = await ports.store.unlockPin(cardId, merchantId, key, entry);
  // As it was unlocked, the first time and every time; it may be locked again by now.
  const isReplayed = !unlocked && before.has_pin;
  return createdAnswer(pinJson({ ...before, pin_locked_until: null }), isReplayed, 200);
}

function pinJson({ card_id, last_four, has_pin, pin_locked_until }: PinRow): giftcardCodes.PinState {
  const until = pin_locked_until?.toISOString() ?? null;
  return { giftcard_id: card_id, last_four, has_pin, pin_locked_until: until };
}
