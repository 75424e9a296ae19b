/**
 * Redemptions that are killed at each step, before it and after it, and gone on with by another process: in the end the points,
 * the stock and the row say the same, on a real Postgres.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  type AccountId,
  type GiftcardId,
  type MerchantId,
  type ProgramId,
  type RequestId,
  uuidV7,
  type rewards as wire,
} from '@local-plus/contracts';
import type { AccountTerms } from '../ledger/index.ts';
import { ProblemError } from '../platform/http/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { quiet } from '../test/log.ts';
import { eventually } from '../test/stack.ts';
import { drawCode } from './domain.ts';
import { rewardLimits } from './limits.ts';
import { type CardOrder, RedemptionProcess } from './process.ts';
import { RedemptionStore } from './redemptions-store.ts';
import { redemptionSweep } from './sweep.ts';
import { FakeDesk, Saboteur } from './test/desk.ts';

const COST = 100;
const product = { type: 'product', sku: 'mug' } as const;
const card = { type: 'gift_card', program_id: uuidV7<string>(0), catalog_item_id: null, amount: 5 } as const;

interface Story {
  readonly name: string;
  readonly gives: wire.Gives;
  readonly balance: number;
  /** What cards answer. */
  readonly isCardRefused?: boolean;
  readonly isCancelled?: boolean;
  /** The ledger takes no points back. */
  readonly isFull?: boolean;
  readonly ends: 'completed' | 'refused' | 'cancelled';
}

const stories: readonly Story[] = [
  { name: 'a product', gives: product, balance: COST, ends: 'completed' },
  { name: 'a product without the points', gives: product, balance: COST - 1, ends: 'refused' },
  { name: 'a gift card', gives: card, balance: COST, ends: 'completed' },
  { name: 'a gift card that cannot be issued', gives: card, balance: COST, isCardRefused: true, ends: 'refused' },
  { name: 'a product that is cancelled', gives: product, balance: COST, isCancelled: true, ends: 'cancelled' },
  {
    name: 'a product whose points cannot come back',
    gives: product,
    balance: COST,
    isCancelled: true,
    isFull: true,
    ends: 'completed',
  },
];

describe('a redemption', () => {
  let database: TestDatabase;
  /** One pool for all stages: they would need more connections than Postgres has. */
  let store: RedemptionStore;

  before(async () => {
    database = await startDatabase();
    store = new RedemptionStore(database.pool({ connectionsMax: 8 }));
  });
  after(() => database.close());

  /** One reward with a stock of 1, one wallet, and a process whose ports fail where they are told to. */
  async function stage(story: Story, saboteur: Saboteur) {
    const ids = { reward: uuidV7<string>(0), merchant: uuidV7<MerchantId>(0), program: uuidV7<ProgramId>(0) };
    const { sql } = database;
    await sql`insert into rewards (id, merchant_id, program_id, name, gives, points, stock, stock_left, limits, status, creator,
        idempotency_key, request_hash)
      values (${ids.reward}, ${ids.merchant}, ${ids.program}, 'R', ${sql.json(story.gives)}, ${COST}, 1, 1, '[]', 'published',
        ${ids.merchant}, ${ids.reward}, '')`;
    const accountId = uuidV7<AccountId>(0);
    const terms: AccountTerms = {
      kind: 'wallet',
      accountId,
      merchantId: ids.merchant,
      programId: ids.program,
      unit: 'PTS',
      rules: { expiry: null, reversalPolicy: { type: 'refuse' }, holdExpiresInS: 1 },
    };
    const desk = new FakeDesk(story.balance);
    const issued: GiftcardId[] = [];
    const issueCard = async ({ cardId }: CardOrder): Promise<string | null> => {
      if (story.isCardRefused === true) throw new ProblemError('giftcard_not_offered');
      const isNew = !issued.includes(cardId);
      if (isNew) issued.push(cardId);
      return isNew ? 'THE-CODE' : null;
    };
    const processOf = (by: Saboteur) =>
      new RedemptionProcess({
        store: {
          move: by.guard((from, move) => store.move(from, move)),
          find: (id) => store.find(id),
          pause: by.guard((row, seconds) => store.pause(row, seconds)),
        },
        desk: { post: by.guard((order) => desk.post(order)) },
        accounts: { find: () => terms },
        issueCard: by.guard(issueCard),
        nowMs: Date.now,
        log: quiet,
      });
    const key = { creator: ids.merchant, idempotencyKey: 'k', requestHash: 'aa' };
    const wanted = {
      id: uuidV7<string>(Date.now()),
      reward_id: ids.reward,
      wallet_id: accountId,
      customer_id: null,
      code: story.gives.type === 'gift_card' ? null : drawCode(),
      giftcard_id: story.gives.type === 'gift_card' ? uuidV7<GiftcardId>(0) : null,
      correlation_id: uuidV7<RequestId>(0),
      traceparent: null,
    };
    const take = async () => {
      const taken = await store.take(key, wanted);
      assert.ok(taken.type === 'created', taken.type);
      return taken.row;
    };
    const cancelKey = { ...key, idempotencyKey: 'c' };
    return { ids, store, desk, issued, process: processOf(saboteur), processOf, take, cancelKey, id: wanted.id };
  }
  type Stage = Awaited<ReturnType<typeof stage>>;

  async function go({ process, take, store, cancelKey, id, desk }: Stage, story: Story): Promise<void> {
    const deadlineMs = performance.now() + 5_000;
    await process.settle(await take(), deadlineMs);
    if (story.isCancelled !== true) return;
    desk.isFull = story.isFull === true;
    const cancelled = await store.cancel(cancelKey, id, null);
    assert.equal(cancelled.type, 'created');
    const row = await store.find(id);
    assert.ok(row);
    await process.settle(row, deadlineMs);
  }

  /** Another process: its sweep finds what was left, and the client asks again for what was not begun. */
  async function goOn(on: Stage, story: Story): Promise<void> {
    const process = on.processOf(new Saboteur(null, true));
    const sweep = redemptionSweep({
      store: on.store,
      process,
      clock: systemClock,
      timer: systemTimer,
      log: quiet,
    });
    const rests = async () => {
      await database.sql`update reward_redemptions set open_since = '-infinity'
        where id = ${on.id} and open_since is not null`;
      const [row] = await database.sql`select open_since from reward_redemptions where id = ${on.id}`;
      return row?.['open_since'] === null;
    };
    // So that the first look of the sweep finds it.
    await rests();
    sweep.start();
    await eventually('it rests', rests);
    const row = await on.store.find(on.id);
    if (story.isCancelled === true && row?.status === 'completed' && row.cancels === 0) {
      on.desk.isFull = story.isFull === true;
      await on.store.cancel(on.cancelKey, on.id, null);
      await eventually('it rests', rests);
    }
    await sweep.stop();
  }

  async function check(on: Stage, story: Story): Promise<void> {
    const row = await on.store.find(on.id);
    assert.equal(row?.status, story.ends);
    const isSpent = story.ends === 'completed';
    assert.equal(on.desk.balance, story.balance - (isSpent ? COST : 0), 'points');
    const { sql } = database;
    const [reward] = await sql<
      { left: number }[]
    >`select stock_left::int as left from rewards where id = ${on.ids.reward}`;
    assert.equal(reward?.left, isSpent ? 0 : 1, 'stock');
    assert.equal(on.issued.length, story.gives.type === 'gift_card' && isSpent ? 1 : 0, 'cards');
    assert.equal(row.refusal !== null, story.ends === 'refused');
    const events = await sql<{ type: string }[]>`select payload->>'event_type' as type from outbox
      where aggregate_id = ${on.id} order by place`;
    const told = { completed: ['redeemed'], refused: [], cancelled: ['redeemed', 'cancelled'] }[story.ends];
    assert.deepEqual(
      events.map(({ type }) => type),
      told.map((each) => `loyalty.reward.${each}`),
    );
    const cancellation = await on.store.cancellation(on.cancelKey);
    assert.equal(cancellation?.refusal?.code ?? null, story.isFull === true ? 'balance_limit_exceeded' : null);
  }

  for (const story of stories) {
    it(`of ${story.name} ends ${story.ends}, wherever it was killed`, async () => {
      const whole = new Saboteur(null, true);
      const untouched = await stage(story, whole);
      await go(untouched, story);
      await check(untouched, story);
      assert.ok(whole.calls >= 2, `${whole.calls} steps`);
      for (let failing = 1; failing <= whole.calls; failing++) {
        for (const isBefore of [true, false]) {
          const on = await stage(story, new Saboteur(failing, isBefore));
          await assert.rejects(go(on, story), ProblemError);
          await goOn(on, story);
          await check(on, story);
        }
      }
    });
  }

  it('gives its points back when there is room for them again, and asks less and less often', async () => {
    const story: Story = { name: 'a gift card', gives: card, balance: COST, isCardRefused: true, ends: 'refused' };
    const on = await stage(story, new Saboteur(null, true));
    on.desk.isFull = true;
    const deadlineMs = performance.now() + 5_000;
    const current = async () => {
      const row = await on.store.find(on.id);
      assert.ok(row);
      return row;
    };
    const refused = async (settle: Promise<unknown>) => {
      await assert.rejects(settle, { code: 'unavailable' });
      const { status, return_tries, is_paused } = await current();
      assert.deepEqual([status, is_paused], ['returning', true]);
      const [row] = await database.sql<{ seconds: number }[]>`
        select extract(epoch from open_since - now())::float8 as seconds from reward_redemptions where id = ${on.id}`;
      return { tries: return_tries, refusals: on.desk.refusals, seconds: row?.seconds ?? 0 };
    };
    const again = () => database.sql`update reward_redemptions set open_since = '-infinity' where id = ${on.id}`;

    const first = await refused(on.process.settle(await on.take(), deadlineMs));
    assert.deepEqual([first.tries, first.refusals], [1, 1]);
    assert.ok(first.seconds > 0 && first.seconds <= rewardLimits.returnPauseSeconds);
    const early = await refused(on.process.settle(await current(), deadlineMs));
    assert.equal(early.refusals, 1, 'whoever asks meanwhile adds no refusal');
    await again();
    const row = await current();
    const both = await Promise.allSettled([on.process.settle(row, deadlineMs), on.process.settle(row, deadlineMs)]);
    assert.ok(both.every(({ status }) => status === 'rejected'));
    const second = await refused(on.process.settle(await current(), deadlineMs));
    assert.deepEqual([second.tries, second.refusals], [2, 2], 'two at once are one try');
    assert.ok(second.seconds > rewardLimits.returnPauseSeconds);
    await database.sql`update reward_redemptions set return_tries = 40 where id = ${on.id}`;
    await again();
    const late = await refused(on.process.settle(await current(), deadlineMs));
    assert.ok(late.seconds <= rewardLimits.returnPauseSecondsMax);
    on.desk.isFull = false;
    await again();
    await on.process.settle(await current(), deadlineMs);
    await check(on, story);
  });

  it('of which a process knows an older attempt to cancel it does not end the one that is under way', async () => {
    const story: Story = { name: 'a product', gives: product, balance: COST, isCancelled: true, ends: 'cancelled' };
    const on = await stage(story, new Saboteur(null, true));
    const deadlineMs = performance.now() + 5_000;
    await on.process.settle(await on.take(), deadlineMs);
    const begun = async (idempotencyKey: string) => {
      assert.equal((await on.store.cancel({ ...on.cancelKey, idempotencyKey }, on.id, null)).type, 'created');
      const row = await on.store.find(on.id);
      assert.ok(row);
      return row;
    };
    on.desk.isFull = true;
    const stale = await begun('first');
    assert.equal((await on.process.settle(stale, deadlineMs)).row.status, 'completed');
    on.desk.isFull = false;
    await begun(on.cancelKey.idempotencyKey);
    assert.equal((await on.process.settle(stale, deadlineMs)).row.status, 'cancelled');
    await check(on, story);
  });

  it('is brought on by two at once as by one', async () => {
    for (const story of stories.filter(({ isCancelled }) => isCancelled !== true)) {
      const on = await stage(story, new Saboteur(null, true));
      const row = await on.take();
      const deadlineMs = performance.now() + 5_000;
      const both = await Promise.all(Array.from({ length: 8 }, () => on.process.settle(row, deadlineMs)));
      assert.equal(new Set(both.map((each) => each.row.status)).size, 1);
      await check(on, story);
    }
  });
});
