/**
 * What nobody asks for: activities that a process left open go on, cards expire when their day is over, what is left of cards at
 * their end is cleared, and it is said in time that a card expires.
 *
 * - S1 they decide nothing by themselves: each visit does what anybody could do again (settlement.ts, rest.ts), so that two
 *   processes that sweep the same do it once.
 * - S2 how they pace themselves, and what bounds them: `Sweep` of actors.
 */
import { type Log, Sweep, SweepCounters, type SweepLimits, type Visit } from '@local-plus/actors';
import { giftcardAccount, type RequestId, uuidV7 } from '@local-plus/contracts';
import { newEvent } from '../../outbox/index.ts';
import { failedVisit } from '../../platform/sweeping/index.ts';
import type { Metrics } from '../../platform/telemetry/index.ts';
import { systemClock, systemTimer } from '../../platform/time/index.ts';
import type { ActivityRow, ActivityStore } from './activities-store.ts';
import { type CardRow, nextNotice } from './domain.ts';
import { cardLimits } from './limits.ts';
import { type RestPorts, settleRest } from './rest.ts';
import type { Settlement } from './settlement.ts';
import type { CardStore } from './store.ts';
import { activityEvent, expiringEvent } from './wire.ts';

export interface CardSweepPorts extends RestPorts {
  readonly store: CardStore;
  readonly activities: ActivityStore;
  readonly settlement: Pick<Settlement, 'settle'>;
  readonly noticeDays: readonly number[];
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits?: CardSweepLimits;
}

export interface CardSweepLimits extends SweepLimits {
  /** How long an activity is left to the process that began it. */
  readonly ageMs: number;
}

export const cardSweepLimits: CardSweepLimits = {
  sweepMs: 1_000,
  ageMs: 3_000,
  pauseMsMax: 10_000,
  asideMsMax: 60_000,
  itemsMax: 200,
  concurrencyMax: 8,
  asideMax: 2_000,
};

export interface CardSweeps {
  start(): void;
  /** Resolves when nothing of it is under way. */
  stop(): Promise<void>;
}

export function cardSweeps(ports: CardSweepPorts): CardSweeps {
  const { store, activities, nowMs, limits = cardSweepLimits } = ports;
  const sweeps = [
    sweepOf<ActivityRow>(ports, 'activities', 'activities of gift cards', {
      find: (itemsMax) => activities.open(new Date(nowMs() - limits.ageMs), itemsMax),
      visit: (row) => ports.settlement.settle(row, deadline()).then(() => 'done'),
    }),
    sweepOf<CardRow>(ports, 'ends', 'gift cards whose time is over', {
      find: (itemsMax) => store.toSettle(new Date(nowMs()), itemsMax),
      visit: (card) => settleEnd(ports, card),
    }),
    sweepOf<CardRow>(ports, 'notices', 'gift cards that expire soon', {
      find: (itemsMax) => store.toTell(new Date(nowMs()), itemsMax),
      visit: (card) => tell(ports, card),
    }),
  ];
  return {
    start: () => {
      for (const sweep of sweeps) sweep.start();
    },
    stop: async () => {
      await Promise.all(sweeps.map((sweep) => sweep.stop()));
    },
  };
}

const deadline = (): number => performance.now() + cardLimits.stepMs;

interface Swept<Item> {
  readonly find: (itemsMax: number) => Promise<readonly Item[]>;
  readonly visit: (item: Item) => Promise<Visit>;
}

function sweepOf<Item extends { readonly id: string }>(
  { log, metrics, limits = cardSweepLimits }: CardSweepPorts,
  name: string,
  of: string,
  { find, visit }: Swept<Item>,
): Sweep<Item> {
  const counters = new SweepCounters();
  const sweep = new Sweep<Item>({
    of,
    find,
    idOf: ({ id }) => id,
    visit: (item) =>
      visit(item).catch((error: unknown) =>
        failedVisit(error, (isExpected) => {
          log[isExpected ? 'warn' : 'error'](`the sweep of ${of} leaves one`, { id: item.id, cause: String(error) });
        }),
      ),
    counters,
    clock: systemClock,
    timer: systemTimer,
    log,
    limits,
  });
  metrics.gauge(`giftcard_${name}_aside`, `Set aside by the sweep of ${of}.`, () => [{ value: sweep.aside }]);
  metrics.counter(`giftcard_${name}_troubles_total`, `Rounds of the sweep of ${of} that the store ended.`, () => [
    { value: counters.troubles },
  ]);
  return sweep;
}

/** One whose time is over, or that is at its end with something left. */
async function settleEnd(ports: CardSweepPorts, found: CardRow): Promise<Visit> {
  const { store } = ports;
  const isAtEnd = found.status === 'expired' || found.status === 'deactivated';
  const card = isAtEnd ? found : await expire(ports, found);
  // An activity of it is under way: that one ends first.
  if (card === null) return 'aside';
  await store.settled(card, await settleRest(ports, card, deadline()));
  return 'done';
}

function expire({ store, nowMs }: CardSweepPorts, card: CardRow): Promise<CardRow | null> {
  const atMs = nowMs();
  const activityId = uuidV7(atMs);
  const requestId = uuidV7<RequestId>(atMs);
  const cause = { requestId, traceparent: null };
  const event = newEvent(activityEvent(card, 'expire', { id: activityId, related: null }, cause), atMs);
  return store.expire(card, { at: new Date(atMs), activityId, requestId, event });
}

/** Of one that is not activated, or has nothing on it, there is nothing to say. */
async function tell(ports: CardSweepPorts, card: CardRow): Promise<Visit> {
  const { store, ledger, nowMs, noticeDays } = ports;
  const atMs = nowMs();
  const next = nextNotice(card.expires_at, atMs, noticeDays)?.at ?? null;
  const { expires_on: on, expires_at: at } = card;
  const isOver = at === null || on === null || at.getTime() <= atMs;
  if (isOver || card.status !== 'active') {
    await store.told(card, next, null);
    return 'done';
  }
  const { balance } = await ledger.read(giftcardAccount(card.id));
  const cause = { requestId: uuidV7<RequestId>(atMs), traceparent: null };
  const event = newEvent(expiringEvent(card, { on, at }, balance, cause, atMs), atMs);
  await store.told(card, next, balance > 0 ? event : null);
  return 'done';
}
