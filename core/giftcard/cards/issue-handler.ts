/**
 * Wire ↔ cards: issue, import, replace: what brings a card into being, with a code that is shown once.
 *
 * Card, code and what is to be done with it stand in one statement, under the request's key. So a card that is there has a code,
 * and what is not finished when the answer goes out is finished by the sweep: the code is never lost for it.
 */
import {
  type GiftcardId,
  type giftcards,
  type MerchantId,
  type ProgramId,
  parseId,
  uuidV7,
} from '@local-plus/contracts';
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
  if (begun !== null) return shown(ports, request, key, begun, drawn);
  const first = await ports.activities.ofKey(key);
  if (first === null) throw new Error('only its key stands in the way of a card');
  return shown(ports, request, key, first, null);
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
  return shown(ports, request, key, row, isReplay ? null : drawn);
}

/** @param drawn null: a replay, which does not show the code again */
async function shown(
  ports: HandlerPorts,
  request: CoreRequest,
  key: CreationKey,
  begun: ActivityRow,
  drawn: Drawn | null,
): Promise<CoreAnswer> {
  if (begun.request_hash !== key.requestHash) throw new ProblemError('idempotency_key_reused');
  const activity = await settled(ports, begun, request.deadlineMs);
  if (activity.status === 'refused') return refuse(activity, drawn === null);
  const id = parseId<GiftcardId>(activity.related_card_id ?? activity.card_id);
  const card = id === null ? null : await ports.rows.submit(id);
  if (card === null) throw new Error('a card that was issued is there');
  const answer: giftcards.IssuedGiftcard = {
    ...asIssued(card, activity),
    code: drawn?.code ?? null,
    pin: drawn?.pin ?? null,
  };
  return createdAnswer(answer, drawn === null);
}

/** At its end, if that can be had now: a code that is not shown now is never shown. */
async function settled(ports: HandlerPorts, begun: ActivityRow, deadlineMs: number): Promise<ActivityRow> {
  try {
    return await ports.settlement.settle(begun, deadlineMs);
  } catch (error) {
    if (!(error instanceof ProblemError || error instanceof DatabaseUnavailable)) throw error;
    ports.log.warn('a gift card is left to the sweep', { activity: begun.id, cause: String(error) });
    return begun;
  }
}

/** As it was when it was issued, the first time and every time. */
function asIssued(card: CardRow, activity: ActivityRow): giftcards.Giftcard {
  const isActive = activity.status === 'done' && (activity.activates || activity.activity === 'replace');
  const balance = isActive ? (activity.balance_after ?? 0) : 0;
  const row: CardRow = { ...card, status: isActive ? 'active' : 'pending', replaced_by: null, deactivated_at: null };
  return cardJson(row, { balance, held: 0, frozen: false, version: balance === 0 ? 0 : 1 }, card.created_at.getTime());
}
