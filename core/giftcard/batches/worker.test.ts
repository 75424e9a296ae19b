/** Bulk issue on a real Postgres: whoever dies and whenever, every card is there once, and its code is in the file. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import {
  type GiftcardBatchId,
  type giftcardBatches,
  type MerchantId,
  type RequestId,
  uuidV7,
} from '@local-plus/contracts';
import fc from 'fast-check';
import { ProblemError } from '../../platform/http/index.ts';
import { DatabaseUnavailable } from '../../platform/postgres/index.ts';
import { startDatabase, type TestDatabase } from '../../test/database.ts';
import { eventually } from '../../test/stack.ts';
import { newMerchant } from '../codes/test/stage.ts';
import type { CardIssuer } from './ports.ts';
import { BatchStore } from './store.ts';
import { BatchesStage, createTestCards, issuerOn, leasePasses, Mortal, type WorkerOptions } from './test/stage.ts';

describe('a bulk issue at work', () => {
  let database: TestDatabase;
  let stage: BatchesStage;

  before(async () => {
    database = await startDatabase();
    await createTestCards(database.sql);
    stage = new BatchesStage(database.pool({ connectionsMax: 4 }));
  });
  after(() => database.close());

  /** As the handler would. */
  async function job(count: number, change: object = {}): Promise<{ id: GiftcardBatchId; merchantId: MerchantId }> {
    const merchantId = newMerchant();
    const id = uuidV7<GiftcardBatchId>(Date.now());
    const row = {
      id,
      merchant_id: merchantId,
      program_id: stage.program(merchantId),
      catalog_item_id: null,
      cards_count: count,
      amount: 2_500,
      expires_on: null,
      has_pin: false,
      activate: true,
      public_key: stage.publicKey,
      request_id: uuidV7<RequestId>(Date.now()),
      traceparent: null,
      ...change,
    };
    const key = { creator: merchantId, idempotencyKey: id, requestHash: '00' };
    const outcome = await new BatchStore(stage.database).create(key, row, `{"trail":"${merchantId}","entry":"{}"}`);
    assert.equal(outcome.type, 'created');
    return { id, merchantId };
  }

  async function rowOf(id: GiftcardBatchId) {
    const row = await new BatchStore(stage.database).batch(id);
    assert.ok(row);
    return row;
  }

  const hasEnded = (id: GiftcardBatchId) => async () => (await rowOf(id)).ended_at !== null;

  async function workOff(id: GiftcardBatchId, options: WorkerOptions = {}): Promise<void> {
    const worker = stage.worker(stage.database, options);
    worker.start();
    await eventually('the job ends', hasEnded(id), 60_000);
    await worker.stop();
  }

  async function fileOf(id: GiftcardBatchId): Promise<giftcardBatches.FileCard[]> {
    const rows = await database.sql`select lines from giftcard_batch_chunks where batch_id = ${id} order by place`;
    return stage.cardsOf(rows.map(({ lines }) => String(lines)).join(''));
  }

  /** Every card is there, once; each has its code in the file; each code is one, and finds its card. */
  async function assertWhole(id: GiftcardBatchId, merchantId: MerchantId, issued: number, sample = 50) {
    const cards = await fileOf(id);
    const [there, codes] = [
      await database.sql`select card_id, last_four from test_cards where batch_id = ${id} order by card_id`,
      await database.sql`select count(*)::int as count from giftcard_codes where merchant_id = ${merchantId}`,
    ];
    const byId = (one: { giftcard_id: string }, other: { giftcard_id: string }) =>
      one.giftcard_id < other.giftcard_id ? -1 : 1;
    assert.deepEqual(
      [...cards].sort(byId).map(({ giftcard_id, last_four }) => [giftcard_id, last_four]),
      there.map(({ card_id, last_four }) => [card_id, last_four]),
    );
    assert.equal(cards.length, issued);
    assert.equal(new Set(cards.map(({ code }) => code)).size, issued);
    assert.ok(Number(codes[0]?.['count']) >= issued);
    const step = Math.max(1, Math.floor(cards.length / sample));
    for (let index = 0; index < cards.length; index += step) {
      const card = cards[index] as giftcardBatches.FileCard;
      assert.ok(await stage.finds(merchantId, card), `the code of card ${index}`);
    }
  }

  async function eventsOf(id: GiftcardBatchId): Promise<unknown[]> {
    const rows = await database.sql`select payload from outbox where aggregate_id = ${id} order by place`;
    return rows.map(({ payload }) => payload['data'] ?? payload);
  }

  it('issues every card once, announces its end, and has a line for each', async () => {
    const { id, merchantId } = await job(250);
    await workOff(id);
    const { status, drawn, issued, failed, file, lease_epoch } = await rowOf(id);
    assert.deepEqual(
      { status, drawn, issued, failed, file },
      {
        status: 'done',
        drawn: 250,
        issued: 250,
        failed: 0,
        file: 'ready',
      },
    );
    assert.equal(lease_epoch, 1);
    await assertWhole(id, merchantId, 250, 250);
    const { program_id } = await rowOf(id);
    assert.deepEqual(await eventsOf(id), [
      { id, program_id, merchant_id: merchantId, status: 'done', issued: 250, failed: 0 },
    ]);
  });

  it('gives PINs that are right', async () => {
    const { id, merchantId } = await job(3, { has_pin: true });
    await workOff(id);
    await assertWhole(id, merchantId, 3);
    assert.ok((await fileOf(id)).every(({ pin }) => pin !== null));
  });

  it('is whole after a death before or after any statement', async () => {
    // Claim; draw, issue, settle for each of two chunks; end; release.
    for (let writes = 1; writes <= 9; writes++) {
      for (const isLastDone of [false, true]) {
        const { id, merchantId } = await job(150);
        const mortal = new Mortal(stage.database, writes, isLastDone);
        const worker = stage.worker(mortal);
        worker.start();
        await mortal.died.promise;
        await worker.stop();
        await leasePasses(database.sql, id);
        await workOff(id);
        assert.deepEqual([(await rowOf(id)).status, (await rowOf(id)).issued], ['done', 150]);
        await assertWhole(id, merchantId, 150, 10);
        assert.equal((await eventsOf(id)).length, 1);
      }
    }
  });

  it('is whole with 10,000 cards, after deaths wherever they fall', async (context) => {
    const seed = randomInt(2 ** 31);
    context.diagnostic(`seed ${seed}`);
    const random = fc.sample(fc.tuple(fc.integer({ min: 2, max: 60 }), fc.boolean()), { seed, numRuns: 1_000 });
    const { id, merchantId } = await job(10_000);
    let deaths = 0;
    while ((await rowOf(id)).ended_at === null) {
      const [writes, isLastDone] = random[deaths] as [number, boolean];
      const mortal = new Mortal(stage.database, writes, isLastDone);
      const worker = stage.worker(mortal);
      worker.start();
      await eventually('it dies, or the job ends', async () => mortal.isDead || (await hasEnded(id)()), 60_000);
      await worker.stop();
      if (mortal.isDead) deaths++;
      if (mortal.isDead) await leasePasses(database.sql, id);
    }
    assert.ok(deaths >= 5, `${deaths} deaths`);
    const { status, issued } = await rowOf(id);
    assert.deepEqual([status, issued], ['done', 10_000]);
    await assertWhole(id, merchantId, 10_000);
    const codes =
      await database.sql`select count(*)::int as count from giftcard_codes where merchant_id = ${merchantId}`;
    assert.equal(codes[0]?.['count'], 10_000, 'no code was given that is in no file');
    assert.equal((await eventsOf(id)).length, 1);
  });

  it('is whole when a process that was taken over from goes on', async () => {
    const { id, merchantId } = await job(300);
    const [reached, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const issuer = issuerOn(stage.database);
    let calls = 0;
    const slow: CardIssuer = {
      async issueMany(terms, cards) {
        if (++calls === 2) {
          reached.resolve();
          await goOn.promise;
        }
        await issuer.issueMany(terms, cards);
      },
    };
    const zombie = stage.worker(stage.database, { issuer: slow });
    zombie.start();
    await reached.promise;
    await leasePasses(database.sql, id);
    await workOff(id);
    const before = await rowOf(id);
    goOn.resolve();
    await zombie.stop();
    assert.deepEqual(await rowOf(id), before);
    await assertWhole(id, merchantId, 300, 300);
  });

  it('is let go by a process that was taken over from, with what it has begun', async () => {
    const { id, merchantId } = await job(300);
    const store = new BatchStore(stage.database);
    const issuer = issuerOn(stage.database);
    let calls = 0;
    const robbed: CardIssuer = {
      async issueMany(terms, cards) {
        if (++calls === 2) {
          assert.equal(await store.claim(id, 60_000), null, 'not before its lease is over');
          await leasePasses(database.sql, id);
          assert.notEqual(await store.claim(id, 60_000), null);
        }
        await issuer.issueMany(terms, cards);
      },
    };
    const worker = stage.worker(stage.database, { issuer: robbed });
    worker.start();
    await eventually('it was taken over', async () => (await rowOf(id)).lease_epoch === 2);
    await worker.stop();
    const { issued, drawn, lease_epoch } = await rowOf(id);
    assert.deepEqual([issued, drawn, lease_epoch, calls], [100, 200, 2, 2]);
    const event = `{"id":"${uuidV7(Date.now())}","aggregate_id":"${id}","payload":{}}`;
    const stale = { id, epoch: 1, leaseMs: 60_000 };
    assert.equal(await store.end(stale, 'complete', event), null);
    const again = { place: 0, issued: 100, failed: 0, failure: null, lines: null };
    assert.equal(await store.settle({ ...stale, epoch: 2 }, again), null, 'a chunk is settled once');
    await store.release(stale);
    assert.equal(await store.claim(id, 60_000), null, 'a stale release lets nobody in');
    await store.release({ ...stale, epoch: 2 });
    await workOff(id);
    await assertWhole(id, merchantId, 300, 300);
    assert.equal((await eventsOf(id)).length, 1);
  });

  it('is worked on by one process at a time, and by turns with others', async () => {
    const jobs = await Promise.all([job(400), job(400), job(400)]);
    const at = new Map<string, number>();
    let together = 0;
    const issuer = issuerOn(stage.database);
    const watching: CardIssuer = {
      async issueMany(terms, cards) {
        at.set(terms.batchId, (at.get(terms.batchId) ?? 0) + 1);
        together = Math.max(together, at.get(terms.batchId) ?? 0);
        await issuer.issueMany(terms, cards);
        at.set(terms.batchId, (at.get(terms.batchId) ?? 0) - 1);
      },
    };
    const limits = { turnMs: 1 };
    const workers = [1, 2, 3].map(() => stage.worker(stage.database, { issuer: watching, limits }));
    for (const worker of workers) worker.start();
    for (const { id } of jobs) await eventually('the job ends', hasEnded(id));
    for (const worker of workers) await worker.stop();
    assert.equal(together, 1);
    for (const { id, merchantId } of jobs) {
      assert.ok((await rowOf(id)).lease_epoch > 1, 'more than one turn');
      await assertWhole(id, merchantId, 400);
    }
  });

  it('leaves out cards that are refused, and ends when a whole chunk is', async () => {
    const issuer = issuerOn(stage.database);
    const refused = new Set<string>();
    let seen = 0;
    const picky: CardIssuer = {
      async issueMany(terms, cards) {
        for (const { cardId } of cards) {
          if (cards.length > 1 && seen < 100 && ++seen % 10 === 0) refused.add(cardId);
        }
        if (cards.some(({ cardId }) => refused.has(cardId))) throw new ProblemError('balance_limit_exceeded');
        await issuer.issueMany(terms, cards);
      },
    };
    const some = await job(150);
    await workOff(some.id, { issuer: picky });
    const { status, issued, failed, failure, file } = await rowOf(some.id);
    assert.deepEqual([status, issued, failed, failure, file], ['done', 140, 10, 'balance_limit_exceeded', 'ready']);
    await assertWhole(some.id, some.merchantId, 140, 140);

    const none = await job(500);
    const issueMany = () => Promise.reject(new ProblemError('not_found'));
    await workOff(none.id, { issuer: { issueMany } });
    const row = await rowOf(none.id);
    assert.deepEqual(
      [row.status, row.issued, row.failed, row.failure, row.file],
      ['failed', 0, 100, 'not_found', 'none'],
    );
    assert.equal((await fileOf(none.id)).length, 0);
  });

  it('goes on after every trouble that passes', async () => {
    const { id, merchantId } = await job(300);
    const troubles = [
      new ProblemError('overloaded'),
      new ProblemError('unavailable'),
      new DatabaseUnavailable('away', { connectionLost: true }),
      new Error('a bug'),
    ];
    const issuer = issuerOn(stage.database);
    const troubled: CardIssuer = {
      async issueMany(terms, cards) {
        const trouble = troubles.pop();
        // What is in trouble may have happened.
        if (troubles.length % 2 === 0) await issuer.issueMany(terms, cards);
        if (trouble !== undefined) throw trouble;
        await issuer.issueMany(terms, cards);
      },
    };
    await workOff(id, { issuer: troubled });
    assert.deepEqual([(await rowOf(id)).status, troubles.length], ['done', 0]);
    await assertWhole(id, merchantId, 300);
  });

  it('ends when it is cancelled, after the chunk that is under way', async () => {
    const { id, merchantId } = await job(1_000);
    const store = new BatchStore(stage.database);
    const issuer = issuerOn(stage.database);
    const cancelling: CardIssuer = {
      async issueMany(terms, cards) {
        const event = `{"id":"${uuidV7(Date.now())}","payload":{}}`;
        if ((await rowOf(id)).issued === 200) {
          await store.cancel(id, merchantId, 'k', `{"trail":"${merchantId}","entry":"{}"}`, event);
        }
        await issuer.issueMany(terms, cards);
      },
    };
    await workOff(id, { issuer: cancelling });
    const { status, issued, drawn, file } = await rowOf(id);
    assert.deepEqual([status, issued, drawn, file], ['cancelled', 300, 300, 'ready']);
    await assertWhole(id, merchantId, 300);
  });
});
