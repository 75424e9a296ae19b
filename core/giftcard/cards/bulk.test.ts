/** Many cards at once: each once, by its id, however often and by whomever it is asked for, wherever who asked was killed. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type GiftcardBatchId, type GiftcardId, type RequestId, uuidV7 } from '@local-plus/contracts';
import { ProblemError } from '../../platform/http/index.ts';
import { eventually } from '../../test/stack.ts';
import type { CardBatch, CardOfBatch } from './index.ts';
import { itemId, Rig } from './test/rig.ts';

describe('a bulk issue of gift cards', () => {
  let rig: Rig;

  before(async () => {
    rig = await Rig.start();
  });
  after(() => rig.stop());

  const batchOf = (changes: Partial<CardBatch> = {}): CardBatch => ({
    batchId: uuidV7<GiftcardBatchId>(Date.now()),
    merchantId: rig.merchantId,
    programId: rig.programId,
    catalogItemId: null,
    amount: 100,
    expiresOn: null,
    activate: true,
    hasPin: true,
    requestId: uuidV7<RequestId>(Date.now()),
    ...changes,
  });
  const cardsOf = (count: number): CardOfBatch[] =>
    Array.from({ length: count }, () => ({ cardId: uuidV7<GiftcardId>(Date.now()), lastFour: 'AB12' }));

  async function seen({ batchId }: CardBatch) {
    const [row] = await rig.database.sql`
      select count(*)::int as cards, count(*) filter (where status = 'active')::int as active,
        count(*) filter (where has_pin and last_four = 'AB12')::int as coded,
        (select count(*)::int from transactions as t where t.account_id in (select id from giftcards where batch_id = ${batchId})) as loads,
        (select count(*)::int from outbox as o where o.aggregate_id in (select id::text from giftcards where batch_id = ${batchId})) as told
      from giftcards where batch_id = ${batchId}`;
    return row;
  }

  it('issues, activates and announces each once, whoever asks again, and at the same time', async () => {
    const [batch, cards] = [batchOf(), cardsOf(60)];
    const ask = () => rig.process().cards.issueMany(batch, cards);
    await Promise.all([ask(), ask(), ask()]);
    await ask();
    assert.deepEqual(await seen(batch), { cards: 60, active: 60, coded: 60, loads: 60, told: 120 });
  });

  it('issues each once where it is overtaken within its statement', async () => {
    const [batch, cards] = [batchOf(), cardsOf(3)];
    const first = { cardId: uuidV7<GiftcardId>(1), lastFour: 'AB12' };
    const { sql } = rig.database;
    const ask = (asked: readonly CardOfBatch[]) => rig.process().cards.issueMany(batch, asked);
    let late: Promise<void> = Promise.resolve();
    const undone = sql.begin(async (held) => {
      await held`insert into giftcard_activities (id, card_id, merchant_id, activity, status, request_id, created_at)
        values (gen_random_uuid(), ${first.cardId}, ${rig.merchantId}, 'issue', 'open', gen_random_uuid(), now())`;
      late = ask([first, ...cards]);
      await eventually('it sees no card, and waits for the first one', async () => {
        const [row] = await sql`select count(*)::int as waiting from pg_locks where not granted`;
        return row?.['waiting'] > 0;
      });
      await ask(cards);
      throw new Error('undone');
    });
    await assert.rejects(undone, /undone/);
    await late;
    assert.deepEqual(await seen(batch), { cards: 4, active: 4, coded: 4, loads: 4, told: 8 });
  });

  it('goes on after a kill at any of its calls', async () => {
    const [batch, cards] = [batchOf(), cardsOf(12)];
    for (let call = 1; ; call += 3) {
      const doomed = rig.process({ call, cut: call % 2 === 0 ? 'before' : 'after' });
      const error = await doomed.cards.issueMany(batch, cards).catch((cause: unknown) => cause);
      if (!doomed.isDead()) {
        assert.equal(error, undefined);
        break;
      }
    }
    assert.deepEqual(await seen(batch), { cards: 12, active: 12, coded: 12, loads: 12, told: 24 });
  });

  it('leaves cards pending where it is told to', async () => {
    const [batch, cards] = [batchOf({ activate: false }), cardsOf(3)];
    await rig.process().cards.issueMany(batch, cards);
    assert.deepEqual(await seen(batch), { cards: 3, active: 0, coded: 3, loads: 0, told: 3 });
  });

  it('refuses what no card of it can be, and writes nothing', async () => {
    const { cards } = rig.process();
    for (const [changes, code] of [
      [{ programId: uuidV7(1) }, 'not_found'],
      [{ merchantId: uuidV7(1) }, 'not_found'],
      [{ catalogItemId: uuidV7(2) }, 'not_found'],
      [{ catalogItemId: itemId, amount: 101 }, 'giftcard_not_offered'],
      [{ expiresOn: '2020-01-01' }, 'expires_on_passed'],
    ] as const) {
      const batch = batchOf(changes as Partial<CardBatch>);
      await assert.rejects(cards.issueMany(batch, cardsOf(2)), { code });
      assert.equal((await seen(batch))?.['cards'], 0);
    }
  });

  it('takes one of its item for each, and says which is refused when it is asked for alone', async () => {
    rig.stock = 5;
    const [batch, cards] = [batchOf({ catalogItemId: itemId }), cardsOf(8)];
    const process = rig.process();
    await assert.rejects(process.cards.issueMany(batch, cards), { code: 'out_of_stock' });
    const ends = await Promise.all(
      cards.map((card) =>
        process.cards.issueMany(batch, [card]).then(
          () => 'issued',
          (error: unknown) => (error instanceof ProblemError ? error.code : String(error)),
        ),
      ),
    );
    assert.deepEqual(ends.toSorted(), [...Array(5).fill('issued'), ...Array(3).fill('out_of_stock')]);
    assert.equal(rig.stock, 0);
  });
});
