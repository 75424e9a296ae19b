/** Wire ↔ cards: a card, a page of cards, and all that was done with one. */
import { type CustomerId, type GiftcardId, giftcardAccount, type giftcards } from '@local-plus/contracts';
import { idCursor, idOf, pageOf } from '../../platform/cursor/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  callingMerchant,
  cursorValue,
  type Handlers,
  ProblemError,
} from '../../platform/http/index.ts';
import type { ActivityRow } from './activities-store.ts';
import { ownCard } from './beginnings.ts';
import type { CardRow } from './domain.ts';
import type { HandlerPorts } from './ports.ts';
import { activityJson, cardJson, storedActivityJson } from './wire.ts';

export function historyHandlers(ports: HandlerPorts): Handlers {
  return {
    'giftcards.read': (request) => read(ports, request),
    'giftcards.list': (request) => list(ports, request),
    'giftcards.activities': (request) => activities(ports, request),
  };
}

async function read(ports: HandlerPorts, request: CoreRequest<'giftcards.read'>): Promise<CoreAnswer> {
  return { status: 200, body: JSON.stringify(await withBalance(ports, await ownCard(ports, request))) };
}

async function withBalance({ ledger, nowMs }: HandlerPorts, card: CardRow): Promise<giftcards.Giftcard> {
  return cardJson(card, await ledger.read(giftcardAccount(card.id)), nowMs());
}

async function list(ports: HandlerPorts, request: CoreRequest<'giftcards.list'>): Promise<CoreAnswer> {
  const merchantId = callingMerchant(request.context);
  const { limit, cursor, customer_id } = request.queryValues;
  const before = cursorValue(cursor, idOf<GiftcardId>);
  const customerIds =
    customer_id === undefined ? null : await ports.customers.identities(merchantId, customer_id as CustomerId);
  const found = await ports.store.page(merchantId, customerIds, before, limit + 1);
  const { rows, nextCursor } = pageOf(found, limit, ({ id }) => idCursor(id));
  const data = await Promise.all(rows.map((card) => withBalance(ports, card)));
  return { status: 200, body: JSON.stringify({ data, next_cursor: nextCursor }) };
}

/** Where a page goes on: in the ledger, and in what the ledger does not tell. */
interface Place {
  /** The newest version that was not shown; 0: all were. */
  readonly version: number;
  /** The oldest activity that was shown; null: none was. */
  readonly before: string | null;
}

/** Two histories, both newest first, made one: of two at one moment, the ledger's is the newer. */
async function activities(ports: HandlerPorts, request: CoreRequest<'giftcards.activities'>): Promise<CoreAnswer> {
  const { limit, cursor } = request.queryValues;
  const card = await ownCard(ports, request);
  const accountId = giftcardAccount(card.id);
  const state = await ports.ledger.read(accountId);
  const from = cursor === undefined ? { version: state.version, before: null } : placeOf(cursor);
  if (from === null || from.version > state.version) throw new ProblemError('invalid_cursor');
  const rowsMax = limit + 1;
  const [posted, told] = await Promise.all([
    from.version === 0 ? [] : ports.ledger.history.page(accountId, from.version, rowsMax).then(({ rows }) => rows),
    ports.activities.told(card.id, from.before, rowsMax),
  ]);
  const texts: string[] = [];
  let [ofLedger, ofCard] = [0, 0];
  while (texts.length < limit) {
    const [row, activity] = [posted[ofLedger], told[ofCard]];
    if (row === undefined && activity === undefined) break;
    if (row !== undefined && (activity === undefined || row.posting.occurredAtMs >= activity.created_at.getTime())) {
      texts.push(storedActivityJson(row, card.unit));
      ofLedger++;
    } else {
      texts.push(JSON.stringify(activityJson(activity as ActivityRow, card.unit)));
      ofCard++;
    }
  }
  const isLast = ofLedger === posted.length && ofCard === told.length;
  const next = isLast
    ? null
    : cursorOf({ version: from.version - ofLedger, before: told[ofCard - 1]?.id ?? from.before });
  return { status: 200, body: `{"data":[${texts.join(',')}],"next_cursor":${JSON.stringify(next)}}` };
}

/** Of versions without gaps: so many shown, so many less. */
function cursorOf({ version, before }: Place): string {
  return `${version.toString(36)}_${before === null ? '' : idCursor(before)}`;
}

function placeOf(cursor: string): Place | null {
  const cut = cursor.indexOf('_');
  if (cut < 1) return null;
  const version = Number.parseInt(cursor.slice(0, cut), 36);
  const id = cursor.slice(cut + 1);
  const before = id === '' ? null : idOf<string>(id);
  if (!Number.isSafeInteger(version) || version < 0 || (id !== '' && before === null)) return null;
  const place = { version, before };
  return cursorOf(place) === cursor ? place : null;
}
