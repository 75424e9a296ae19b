/** What a caller's plan, and its merchant's, come to at the edge; and what guessing costs. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { merchants } from '@local-plus/contracts';
import {
  authorized,
  createStage,
  earn,
  earnPath,
  grant,
  key,
  problemResponse,
  type Stage,
  told,
  walletId,
} from '../test/stage.ts';
import { keyDigest } from './key-digests.ts';

const balance = `/v1/wallets/${walletId}/balance`;

/** One after the other: what a guess is charged is charged before the next one comes. */
async function inTurn(count: number, ask: (at: number) => Promise<Response>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let at = 0; at < count; at++) {
    const answer = await told(await ask(at));
    counts[answer] = (counts[answer] ?? 0) + 1;
  }
  return counts;
}

const missing = () => problemResponse(404, 'not_found');
async function stageOf(change: Partial<merchants.KeyGrantAsTold>): Promise<Stage> {
  const stage = await createStage();
  stage.keys.set(await keyDigest(key), { ...grant, ...change });
  return stage;
}

describe('who guesses codes of gift cards', () => {
  const lookUp = {
    method: 'POST',
    headers: { ...authorized, 'content-type': 'application/json' },
    body: JSON.stringify({ code: '7Q2M-4X9T-B0KD-3HWA-2', pin: '000000' }),
  };

  for (const [status, code] of [
    [404, 'not_found'],
    [403, 'giftcard_pin_wrong'],
  ] as const) {
    it(`is slowed by twenty requests for each ${code}`, async () => {
      const stage = await stageOf({ requests_per_minute: 100, scopes: ['giftcards:read'] });
      stage.answer(() => problemResponse(status, code));
      const answers = await inTurn(10, () => stage.ask('/v1/giftcards/lookup', lookUp));
      assert.deepEqual(answers, { [`${status} ${code}`]: 5, '429 rate_limited': 5 });
    });
  }

  it('is not, for a card that needs its PIN, or one that looks at none for a while', async () => {
    const stage = await stageOf({ requests_per_minute: 100, scopes: ['giftcards:read'] });
    for (const [status, code] of [
      [409, 'giftcard_pin_missing'],
      [429, 'giftcard_pin_locked'],
    ] as const) {
      stage.answer(() => problemResponse(status, code));
      assert.deepEqual(await inTurn(20, () => stage.ask('/v1/giftcards/lookup', lookUp)), {
        [`${status} ${code}`]: 20,
      });
    }
  });

  it('is told of mistyped ones by the edge: core is not asked', async () => {
    const stage = await stageOf({ scopes: ['giftcards:read'] });
    const body = JSON.stringify({ code: '7Q2M-4X9T-B0KD-3HWA-3' });
    assert.equal(await told(await stage.ask('/v1/giftcards/lookup', { ...lookUp, body })), '400 invalid_request');
    assert.deepEqual(stage.asked, []);
  });
});

describe('who asks for what is not there', () => {
  it('with a known key is slowed by its own count, by five requests each', async () => {
    const stage = await stageOf({ requests_per_minute: 100 });
    stage.answer(missing);
    const answers = await inTurn(40, () => stage.ask(balance, { headers: authorized }));
    assert.deepEqual(answers, { '404 not_found': 20, '429 rate_limited': 20 });
    stage.answer(() => Response.json({ data: [], next_cursor: null }));
    assert.deepEqual(await inTurn(101, () => stage.ask('/v1/catalog')), { 200: 100, '429 rate_limited': 1 });
  });

  for (const path of [balance, earnPath, `/v1/holds/${walletId}`, `/v1/transactions/${walletId}`]) {
    it(`is charged for ${path}`, async () => {
      const stage = await stageOf({ requests_per_minute: 100 });
      stage.answer(missing);
      await stage.ask(path, path === earnPath ? earn() : { headers: authorized });
      stage.answer(() => Response.json({}));
      const left = (await stage.ask(balance, { headers: authorized })).headers.get('ratelimit');
      assert.match(left ?? '', /^"key";r=94;/);
    });
  }

  it('without a key is slowed by its address, also where the cache answers', async () => {
    const stage = await createStage();
    stage.answer(missing);
    const answers = await inTurn(40, () => stage.ask(`/v1/catalog/${walletId}`));
    assert.deepEqual(answers, { '404 not_found': 20, '429 rate_limited': 20 });
  });

  it('is not charged for a path that is none, or an id that is none', async () => {
    const stage = await stageOf({ requests_per_minute: 100 });
    for (const path of ['/v1/nothing', '/v1/wallets/1/balance']) await stage.ask(path, { headers: authorized });
    const answer = await stage.ask(balance, { headers: authorized });
    assert.match(answer.headers.get('ratelimit') ?? '', /^"key";r=98;/);
  });

  it('is charged no more than is left, and may go on a minute later', async () => {
    const stage = await stageOf({ requests_per_minute: 3 });
    stage.answer(missing);
    const answers = await inTurn(5, () => stage.ask(balance, { headers: authorized }));
    assert.deepEqual(answers, { '404 not_found': 3, '429 rate_limited': 2 });
    stage.passMs(70_000);
    assert.equal(await told(await stage.ask(balance, { headers: authorized })), '404 not_found');
  });
});

describe('a plan', () => {
  const plan = { requests_per_minute: 50, burst: 20, requests_per_month: 100 };

  it('is named with all that was counted, the tightest says when to come back', async () => {
    const tenant = { plan: { requests_per_minute: 90, burst: 30, requests_per_month: null }, allowed_origins: [] };
    const stage = await stageOf({ ...plan, tenant });
    const first = await stage.ask(balance, { headers: authorized });
    const monthS = 31 * 86_400;
    assert.equal(
      first.headers.get('ratelimit-policy'),
      `"key-burst";q=20;w=10, "key";q=50;w=60, "key-month";q=100;w=${monthS}, "tenant-burst";q=30;w=10, "tenant";q=90;w=60`,
    );
    assert.equal(
      (first.headers.get('ratelimit') ?? '').replaceAll(/t=\d+/g, 't'),
      '"key-burst";r=19;t, "key";r=49;t, "key-month";r=99;t, "tenant-burst";r=29;t, "tenant";r=89;t',
    );
    const wait = async () => Number((await stage.ask(balance, { headers: authorized })).headers.get('retry-after'));
    const burst = () => inTurn(30, () => stage.ask(balance, { headers: authorized }));
    assert.deepEqual(await burst(), { 201: 19, '429 rate_limited': 11 });
    assert.ok((await wait()) <= 12, 'the burst');
    stage.passMs(12_000);
    assert.deepEqual(await burst(), { 201: 20, '429 rate_limited': 10 });
    stage.passMs(12_000);
    assert.deepEqual(await burst(), { 201: 10, '429 rate_limited': 20 });
    const untilMinuteS = await wait();
    assert.ok(untilMinuteS > 12 && untilMinuteS <= 70, 'the minute');
    for (let count = 0; count < 6; count++) {
      stage.passMs(35_000);
      await burst();
    }
    assert.ok((await wait()) > 86_400, 'the month');
  });

  it('of a merchant that refuses costs the key nothing', async () => {
    const tenant = { plan: { requests_per_minute: 2, burst: null, requests_per_month: null }, allowed_origins: [] };
    const stage = await stageOf({ tenant });
    assert.deepEqual(await inTurn(10, () => stage.ask(balance, { headers: authorized })), {
      201: 2,
      '429 rate_limited': 8,
    });
    const refused = await stage.ask(balance, { headers: authorized });
    assert.match(refused.headers.get('ratelimit') ?? '', /^"key";r=998;t=\d+, "tenant";r=0;t=\d+$/);
  });

  it('of an older core, which says nothing of more, is the minute’s alone', async () => {
    const { burst: _burst, requests_per_month: _month, tenant: _tenant, ...older } = grant;
    const stage = await createStage();
    stage.keys.set(await keyDigest(key), older as merchants.KeyGrantAsTold);
    const answer = await stage.ask(balance, { headers: authorized });
    assert.equal(answer.headers.get('ratelimit-policy'), '"key";q=1000;w=60');
  });
});
