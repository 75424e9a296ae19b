import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '@local-plus/contracts';
import { MemoryLimiter, type RateLimiter } from '../index.ts';
import { authorized, createStage, earn, earnPath, grant, key, type Stage, told, walletId } from '../test/stage.ts';
import { keyDigest } from './key-digests.ts';
import { surcharge, weights } from './limiting/weights.ts';
import { edgeLimits } from './limits.ts';

const balance = `/v1/wallets/${walletId}/balance`;
const madeUp = (count: number) => ({ authorization: `Bearer lp_live_${String(count).padStart(32, '0')}` });
const many = async (count: number, ask: (at: number) => Promise<Response>) =>
  tally(await Promise.all(Array.from({ length: count }, async (_, at) => told(await ask(at)))));

/** One after the other: what a guess is charged is charged before the next one comes. */
async function inTurn(count: number, ask: (at: number) => Promise<Response>): Promise<Record<string, number>> {
  const answers: string[] = [];
  for (let at = 0; at < count; at++) answers.push(await told(await ask(at)));
  return tally(answers);
}

/** Made-up keys that an address may try in a minute. */
const guesses = limits.ipRequestsPerMinute / weights.unknownKey;

function tally(answers: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1;
  return counts;
}

async function revoke(stage: Stage): Promise<void> {
  stage.keys.delete(await keyDigest(key));
}

describe('a caller by address', () => {
  it('passes exactly a hundred times, then is told when to come back', async () => {
    const stage = await createStage();
    stage.answer(() => Response.json({ data: [], next_cursor: null }));
    assert.deepEqual(await many(1_000, () => stage.ask('/v1/catalog')), { 200: 100, '429 rate_limited': 900 });
    const refused = await stage.ask('/v1/catalog');
    assert.equal(refused.headers.get('ratelimit-policy'), '"address";q=100;w=60');
    assert.match(refused.headers.get('ratelimit') ?? '', /^"address";r=0;t=\d+$/);
    const waitS = Number(refused.headers.get('retry-after'));
    assert.ok(waitS >= 60 && waitS <= 70);
    stage.passMs(waitS * 1_000);
    assert.equal((await stage.ask('/v1/catalog')).status, 200);
  });

  it('is its /64, and another address is another caller', async () => {
    const stage = await createStage();
    stage.answer(() => Response.json({ data: [], next_cursor: null }));
    const from = (clientAddress: string) => stage.ask('/v1/catalog', { clientAddress });
    assert.deepEqual(await many(200, (at) => from(`2001:db8::${at.toString(16)}`)), {
      200: 100,
      '429 rate_limited': 100,
    });
    assert.equal((await from('2001:db8:0:1::1')).status, 200);
    assert.equal((await from('192.0.2.9')).status, 200);
  });

  it('that is unknown shares one account with all unknown ones', async () => {
    const stage = await createStage();
    stage.answer(() => Response.json({ data: [], next_cursor: null }));
    const answers = await many(150, (at) => stage.ask('/v1/catalog', { clientAddress: at % 2 ? null : 'nonsense' }));
    assert.deepEqual(answers, { 200: 100, '429 rate_limited': 50 });
  });

  it('without a key is refused where a key is needed: 401, then 429', async () => {
    const stage = await createStage();
    assert.deepEqual(await many(120, () => stage.ask(balance)), { '401 unauthenticated': 100, '429 rate_limited': 20 });
    assert.deepEqual(stage.asked, []);
  });
});

describe('a caller by key', () => {
  it('is counted on its plan, and not on its address', async () => {
    const stage = await createStage();
    stage.keys.set(await keyDigest(key), { ...grant, requests_per_minute: 300 });
    const answers = await many(400, () => stage.ask(balance, { headers: authorized }));
    assert.deepEqual(answers, { 201: 300, '429 rate_limited': 100 });
    const refused = await stage.ask(balance, { headers: authorized });
    assert.equal(refused.headers.get('ratelimit-policy'), '"key";q=300;w=60');
    stage.answer(() => Response.json({ data: [], next_cursor: null }));
    assert.deepEqual(await many(101, () => stage.ask('/v1/catalog')), { 200: 100, '429 rate_limited': 1 });
  });

  it('is looked up once, however many come at once, and costs its address nothing', async () => {
    const stage = await createStage();
    assert.deepEqual(await many(500, () => stage.ask(earnPath, earn())), { 201: 500 });
    assert.equal(stage.lookUps.length, 1);
    await stage.settle();
    assert.deepEqual(await many(101, () => stage.ask(balance)), { '401 unauthenticated': 100, '429 rate_limited': 1 });
  });

  it('is refreshed behind the answers, and refused soon after it is revoked', async () => {
    const stage = await createStage();
    const ask = async () => told(await stage.ask(balance, { headers: authorized }));
    assert.equal(await ask(), '201');
    await revoke(stage);
    stage.passMs(edgeLimits.keyFreshMs);
    assert.equal(await ask(), '201');
    await stage.settle();
    assert.equal(await ask(), '401 unauthenticated');
    assert.equal(stage.lookUps.length, 2);
  });

  it('that was idle is refused at once after it is revoked', async () => {
    const stage = await createStage();
    await stage.ask(balance, { headers: authorized });
    await revoke(stage);
    stage.passMs(edgeLimits.keyServedMs);
    assert.equal(await told(await stage.ask(balance, { headers: authorized })), '401 unauthenticated');
  });

  it('that was revoked is refused in time, though somebody has set the clock back', async () => {
    const stage = await createStage();
    await stage.ask(balance, { headers: authorized });
    await revoke(stage);
    stage.setBackMs(3_600_000);
    stage.passMs(edgeLimits.keyServedMs);
    assert.equal(await told(await stage.ask(balance, { headers: authorized })), '401 unauthenticated');
  });

  it('is still known while core is away, then answered 503 without using up its address', async () => {
    const stage = await createStage();
    await stage.ask(balance, { headers: authorized });
    stage.keepAway(true);
    stage.passMs(edgeLimits.keyServedMs);
    assert.deepEqual(await many(300, () => stage.ask(balance, { headers: authorized })), { '503 unavailable': 300 });
    await stage.settle();
    stage.keepAway(false);
    assert.deepEqual(await many(300, () => stage.ask(balance, { headers: authorized })), { 201: 300 });
  });
});

describe('a made-up key', () => {
  it('uses up the address that sends it, five requests each: 401, then 429, and core is asked no more', async () => {
    const stage = await createStage();
    const answers = await inTurn(300, (at) => stage.ask(balance, { headers: madeUp(at) }));
    assert.deepEqual(answers, { '401 unauthenticated': guesses, '429 rate_limited': 300 - guesses });
    assert.equal(stage.lookUps.length, guesses);
  });

  it('sent with many others at once reaches core a hundred times at most', async () => {
    const stage = await createStage();
    const answers = await many(1_000, (at) => stage.ask(balance, { headers: madeUp(at) }));
    assert.ok((answers['401 unauthenticated'] ?? 0) <= 100);
    assert.ok(stage.lookUps.length <= 100);
    assert.equal(await told(await stage.ask(balance)), '429 rate_limited');
  });

  it('sent again and again is looked up once in a while, and counted each time', async () => {
    const stage = await createStage();
    const answers = await many(300, () => stage.ask(balance, { headers: madeUp(1) }));
    // The one who asks core for the others is charged, once.
    const passed = limits.ipRequestsPerMinute - surcharge('unknownKey');
    assert.deepEqual(answers, { '401 unauthenticated': passed, '429 rate_limited': 300 - passed });
    assert.equal(stage.lookUps.length, 1);
    stage.passMs(edgeLimits.keyRefusedMs);
    await stage.ask(balance, { headers: madeUp(1), clientAddress: '192.0.2.2' });
    assert.equal(stage.lookUps.length, 2);
  });

  it('cannot keep a real one of another address from its look-up, joined or not', async () => {
    const memory = new MemoryLimiter();
    let taken = (): void => undefined;
    const far: RateLimiter = {
      async take(...counted) {
        taken();
        await new Promise((resolve) => setTimeout(resolve, 5));
        return memory.take(...counted);
      },
      giveBack: (counted, take) => memory.giveBack(counted, take),
    };
    const stage = await createStage({ addresses: far });
    await many(limits.ipRequestsPerMinute, (at) => stage.ask(balance, { headers: madeUp(at) }));
    const { promise: poorLeads, resolve } = Promise.withResolvers<void>();
    taken = resolve;
    const poor = stage.ask(balance, { headers: authorized });
    await poorLeads;
    const rich = await stage.ask(balance, { headers: authorized, clientAddress: '192.0.2.2' });
    assert.deepEqual([await told(await poor), await told(rich)], ['429 rate_limited', '201']);
  });

  it('on a public route is nobody’s: counted by address, not refused', async () => {
    const stage = await createStage();
    stage.answer(() => Response.json({ data: [], next_cursor: null }));
    const answers = await many(120, () => stage.ask('/v1/catalog', { headers: madeUp(1) }));
    const passed = limits.ipRequestsPerMinute - surcharge('unknownKey');
    assert.deepEqual(answers, { 200: passed, '429 rate_limited': 120 - passed });
  });

  for (const authorization of [
    '',
    'Bearer',
    'Bearer x',
    'Basic lp_live_0123456789abcdef',
    `Bearer ${key}, Bearer ${key}`,
    `Bearer lp_test_${'a'.repeat(32)}`,
    `Bearer ${key}\u00e9`,
  ]) {
    it(`${JSON.stringify(authorization)} is none: core is not asked`, async () => {
      const stage = await createStage();
      const answer = await stage.ask(balance, { headers: { authorization } });
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer realm="local-plus"');
      assert.equal(await told(answer), '401 unauthenticated');
      assert.deepEqual(stage.lookUps, []);
    });
  }

  it('is never seen by the origin or the log, only its digest', async () => {
    const stage = await createStage();
    await stage.ask(earnPath, earn());
    assert.ok(!JSON.stringify([stage.asked, stage.lookUps, stage.troubles]).includes(key));
    assert.match(stage.lookUps[0] ?? '', /^[0-9a-f]{64}$/);
  });
});

describe('an answer of core about a key', () => {
  for (const [name, respond] of [
    ['without its shape', () => Response.json({ merchant_id: 'x' })],
    ['that is no JSON', () => new Response('hello')],
    ['that is an error', () => new Response('no', { status: 500 })],
    ['that refuses our signature', () => new Response('no', { status: 401 })],
  ] as const) {
    it(`${name} grants nothing and refuses nothing: 503`, async () => {
      const stage = await createStage({ fetch: async () => respond() });
      const answer = await stage.ask(balance, { headers: authorized });
      assert.equal(answer.headers.get('retry-after'), '1');
      assert.equal(await told(answer), '503 unavailable');
      assert.equal(stage.troubles.length, 1);
    });
  }
});
