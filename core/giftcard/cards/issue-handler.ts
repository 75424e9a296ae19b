/**
 * Wire ↔ cards: issue, import, replace: what brings a card into being, with a code that is shown once.
 *
 * Card, code and what is to be done with it stand in one statement, under the request's key. So a card that is there has a code,
 * and what is not finished when the answer goes out is finished by the sweep: the code is never lost for it.
 */
import { type GiftcardId, type giftcards, type MerchantId, type ProgramId, uuidV7 } from '@local-plus/contracts';
import { newEvent, newEvents } from '../../outbox/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  type Handlers,
  ProblemError,
  sees,
} from '../../platform/http/index.ts';
import { type CreationKey, DatabaseUnavailable, UniqueViolation } from '../../platform/postgres/index.ts';
import type { ActivityRow } from './activities-store.ts';
import { begin, ownCard, refuse } from './beginnings.ts';
import type { CardRow } from './domain.ts';
import { lifetimeOf, newCard, offeredItem } from './issuing.ts';
import type { HandlerPorts, ProgramTerms } from './ports.ts';
import type { NewCard } from './store.ts';
import { activityEvent, cardJson } from './wire.ts';

type CardRequest = CoreRequest<'giftcards.issue'> | CoreRequest<'giftcards.import'>;

export function issueHandlers(ports: HandlerPorts): Handlers {
  return {
    'giftcards.issue': (request) => issue(ports, request),
    'giftcards.import': (request) => importCard(ports, request),
    'giftcards.replace': (request) => replace(ports, request),
  };
}

async function issue(ports: HandlerPorts, request: CoreRequest<'giftcards.issue'>): Promise<CoreAnswer> {
  const {
    program_id,
    amount,
    catalog_item_id = null,
    customer_id = null,
    expires_on = null,
    activate,
    pin,
  } = request.body;
  const key = creationKey(request, [
    'issue',
    program_id,
    amount,
    catalog_item_id,
    customer_id,
    expires_on,
    activate,
    pin,
  ]);
  return once(ports, request, key, async (program) => {
    const item = catalog_item_id === null ? null : await offeredItem(ports, program, catalog_item_id, amount);
    return {
      ...(await askedCard(ports, program, request.body, item?.validityMonths ?? null)),
      catalog_item_id: item?.itemId ?? null,
      activity: { activity: 'issue', activates: activate, isOpen: activate || item !== null },
    };
  });
}

async function importCard(ports: HandlerPorts, request: CoreRequest<'giftcards.import'>): Promise<CoreAnswer> {
  const { program_id, amount, external_id, customer_id = null, expires_on = null, pin } = request.body;
  const key = creationKey(request, ['import', program_id, amount, external_id, customer_id, expires_on, pin]);
  return once(ports, request, key, async (program) => ({
    ...(await askedCard(ports, program, request.body, null)),
    external_id,
    activity: { activity: 'import', activates: true, isOpen: true },
  }));
}

/** With what a request says of it, whichever it is. */
async function askedCard(
  ports: HandlerPorts,
  program: ProgramTerms,
  body: CardRequest['body'],
  validityMonths: number | null,
) {
  const { amount, customer_id = null, expires_on = null, pin } = body;
  const lifetime = await lifetimeOf(ports, program.merchantId, expires_on, validityMonths);
  const id = uuidV7<GiftcardId>(ports.nowMs());
  return newCard(ports, program, { id, amount, customerId: customer_id, hasPin: pin, lifetime });
}

type Made = Omit<ReturnType<typeof newCard>, 'activity'> & {
  readonly activity: { readonly activity: 'issue' | 'import'; readonly activates: boolean; readonly isOpen: boolean };
};

/** What is wrong with the request is asked only of a key that is new: an item that is withdrawn later changes no outcome. */
async function once(
  ports: HandlerPorts,
  request: CardRequest,
  key: CreationKey,
  make: (program: ProgramTerms) => Promise<Made>,
): Promise<CoreAnswer> {
  const program = await ports.programs.find(request.body.program_id as ProgramId);
  if (program === null || !sees(request.context, program.merchantId)) throw new ProblemError('not_found');
  const earlier = await ports.activities.ofKey(key);
  if (earlier !== null) return shown(ports, request, key, earlier, null);
  const { activity, ...card } = await make(program);
  const drawn = await draw(ports, card.id, program.merchantId, card.has_pin);
  const { requestId, traceparent } = request;
  const nowMs = ports.nowMs();
  const id = uuidV7(nowMs);
  const row = {
    ...card,
    last_four: drawn.lastFour,
    activity: {
      id,
      merchant_id: program.merchantId,
      activity: activity.activity,
      activates: activity.activates,
      status: activity.isOpen ? 'open' : 'done',
      creator: key.creator,
      idempotency_key: key.idempotencyKey,
      request_hash: key.requestHash,
      request_id: requestId,
      traceparent,
      created_at: new Date(nowMs),
    },
  } as const;
  const event = activityEvent(card, activity.activity, { id, related: null }, { requestId, traceparent });
  const begun = await ports.store
    .issue(row, drawn.kept, newEvents([{ of: card.id, event }], nowMs))
    .catch((error: unknown) => {
      if (error instanceof UniqueViolation && card.external_id !== null) throw new ProblemError('external_id_taken');
      throw error;
    });
  if (begun !== null) return shown(ports, request, key, begun, { card: writtenCard(row, begun), drawn });
  const first = await ports.activities.ofKey(key);
  if (first === null) throw new Error('only its key stands in the way of a card');
  return shown(ports, request, key, first, null);
}

/** What this request brought into being. */
interface Written {
  /** As it was written: nothing has come of its activity yet. */
  readonly card: CardRow;
  readonly drawn: Drawn;
}

function writtenCard(row: Omit<NewCard, 'activity'>, { created_at }: ActivityRow): CardRow {
  const nothingYet = { status: 'pending', replaced_by: null, activated_at: null, deactivated_at: null } as const;
  return { ...row, ...nothingYet, created_at };
}

interface Drawn {
  readonly code: string;
  readonly pin: string | null;
  readonly lastFour: string;
  readonly kept: string;
}

async function draw({ codes }: HandlerPorts, cardId: GiftcardId, merchantId: MerchantId, pin: boolean): Promise<Drawn> {
  const { codes: drawn, kept } = await codes.draw([{ cardId, merchantId, pin }]);
  const [first] = drawn;
  if (first === undefined) throw new Error('a code was asked for');
  return { ...first, kept };
}

async function replace(ports: HandlerPorts, request: CoreRequest<'giftcards.replace'>): Promise<CoreAnswer> {
  const { reason, pin } = request.body;
  const lost = await ownCard(ports, request);
  const key = creationKey(request, ['replace', lost.id, reason, pin]);
  const nowMs = ports.nowMs();
  const cardId = uuidV7<GiftcardId>(nowMs);
  const activityId = uuidV7(nowMs);
  let drawn: Drawn | null = null;
  const { row, isReplay } = await begin(ports, request, lost, { activity: 'replace', key, reason }, async (asked) => {
    drawn ??= await draw(ports, cardId, lost.merchant_id, pin);
    const created = { ...lost, id: cardId };
    const event = newEvent(activityEvent(created, 'issue', { id: activityId, related: lost.id }, request), nowMs);
    const { lastFour, kept: codes } = drawn;
    return ports.activities.replace(asked, { cardId, activityId, lastFour, hasPin: pin, codes }, event);
  });
  if (isReplay || drawn === null) return shown(ports, request, key, row, null);
  return shown(ports, request, key, row, { card: replacementOf(lost, row, cardId, drawn, pin), drawn });
}

/** As `ActivityStore.replace` writes it. */
function replacementOf(
  lost: CardRow,
  begun: ActivityRow,
  id: GiftcardId,
  { lastFour }: Drawn,
  hasPin: boolean,
): CardRow {
  const own = { id, initial_amount: 0, batch_id: null, external_id: null, last_four: lastFour, has_pin: hasPin };
  return writtenCard({ ...lost, ...own, customer_id: begun.customer_id, replaces: lost.id }, begun);
}

/** @param written null: a replay, which does not show the code again */
async function shown(
  ports: HandlerPorts,
  request: CoreRequest,
  key: CreationKey,
  begun: ActivityRow,
  written: Written | null,
): Promise<CoreAnswer> {
  if (begun.request_hash !== key.requestHash) throw new ProblemError('idempotency_key_reused');
  const settle = () => ports.settlement.settle(begun, request.deadlineMs);
  if (written === null) {
    const activity = await settle();
    if (activity.status === 'refused') return refuse(activity, true);
    const answer = { ...asIssued(await cardOf(ports, activity), activity), code: null, pin: null };
    return createdAnswer(answer satisfies giftcards.IssuedGiftcard, true);
  }
  const { code, pin } = written.drawn;
  const activity = (await ifPossible(ports, begun, settle)) ?? begun;
  if (activity.status === 'refused') return refuse(activity, false);
  const card = await ifPossible(ports, begun, () => cardOf(ports, activity));
  const issued = card === null ? asIssued(written.card, begun) : asIssued(card, activity);
  return createdAnswer({ ...issued, code, pin } satisfies giftcards.IssuedGiftcard, false);
}

/** The card that was issued. */
async function cardOf({ rows }: HandlerPorts, { card_id, related_card_id }: ActivityRow): Promise<CardRow> {
  const card = await rows.submit(related_card_id ?? card_id);
  if (card === null) throw new Error('a card that was issued is there');
  return card;
}

/** null: it cannot be had now. What has a code goes on without: a code that is not shown now is never shown. */
async function ifPossible<Value>(
  ports: HandlerPorts,
  begun: ActivityRow,
  run: () => Promise<Value>,
): Promise<Value | null> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ProblemError || error instanceof DatabaseUnavailable)) throw error;
    ports.log.warn('a gift card is left to the sweep', { activity: begun.id, cause: String(error) });
    return null;
  }
}

/** As it was when it was issued, the first time and every time. */
function asIssued(card: CardRow, activity: ActivityRow): giftcards.Giftcard {
  const isActive = activity.status === 'done' && (activity.activates || activity.activity === 'replace');
  const balance = isActive ? (activity.balance_after ?? 0) : 0;
  const status = isActive ? 'active' : 'pending';
  const activated_at = isActive ? card.activated_at : null;
  const row: CardRow = { ...card, status, activated_at, replaced_by: null, deactivated_at: null };
  return cardJson(row, { balance, held: 0, frozen: false, version: balance === 0 ? 0 : 1 }, card.created_at.getTime());
}
