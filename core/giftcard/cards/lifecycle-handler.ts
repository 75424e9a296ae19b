/** Wire ↔ cards: what changes a card's row: activate, unblock, link, unlink, deactivate. */
import type { giftcards } from '@local-plus/contracts';
import { newEvent } from '../../outbox/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  type Handlers,
} from '../../platform/http/index.ts';
import type { Beginning } from './activities-store.ts';
import { type Asked, type Begun, begin, ownCard, refuse } from './beginnings.ts';
import type { CardRow } from './domain.ts';
import type { HandlerPorts } from './ports.ts';
import { activityEvent, activityJson } from './wire.ts';

export function lifecycleHandlers(ports: HandlerPorts): Handlers {
  return {
    'giftcards.activate': (request) => change(ports, request, 'activate', null),
    'giftcards.unblock': (request) => change(ports, request, 'unblock', request.body),
    'giftcards.deactivate': (request) => change(ports, request, 'deactivate', request.body),
    'giftcards.link': (request) => link(ports, request, 'link', request.body.customer_id),
    'giftcards.unlink': (request) => link(ports, request, 'unlink', null),
  };
}

async function change(
  ports: HandlerPorts,
  request: CoreRequest,
  activity: 'activate' | 'unblock' | 'deactivate',
  why: giftcards.Because | null,
): Promise<CoreAnswer> {
  const card = await ownCard(ports, request);
  const key = creationKey(request, [activity, card.id, why?.reason ?? null]);
  const asked: Asked = { activity, key, ...(why === null ? {} : why) };
  const begun = await begin(ports, request, card, asked, (beginning) => ports.activities.begin(beginning));
  return ended(ports, request, card, begun);
}

/** Done by its beginning: nothing is posted for it. */
async function link(
  ports: HandlerPorts,
  request: CoreRequest,
  activity: 'link' | 'unlink',
  customerId: string | null,
): Promise<CoreAnswer> {
  const card = await ownCard(ports, request);
  const key = creationKey(request, [activity, card.id, customerId]);
  const asked: Asked = { activity, key, ...(customerId === null ? {} : { customerId }) };
  const write = (beginning: Beginning) => {
    const told = { ...card, customer_id: customerId };
    const event = activityEvent(told, activity, { id: beginning.id, related: null }, request);
    return ports.activities.link(beginning, newEvent(event, ports.nowMs()));
  };
  return ended(ports, request, card, await begin(ports, request, card, asked, write));
}

async function ended(
  ports: HandlerPorts,
  request: CoreRequest,
  { unit }: CardRow,
  { row, isReplay }: Begun,
): Promise<CoreAnswer> {
  const activity = await ports.settlement.settle(row, request.deadlineMs);
  return activity.status === 'refused'
    ? refuse(activity, isReplay)
    : createdAnswer(activityJson(activity, unit), isReplay);
}
