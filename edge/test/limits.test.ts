/** The limits on the real runtimes: the Durable Objects pass the limiters' suites, and the edge counts exactly. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';
import { LeasedPlans, MemoryPlans, type Plan, type Trouble } from '../index.ts';
import type { PlanCounters } from '../src/limiting/leased-plans.ts';
import type { RateLimiter, Take } from '../src/limiting/limiter.ts';
import { spareMax } from '../src/limiting/plan.ts';
import type { Ask, Lease } from '../src/limiting/plan-counter.ts';
import { weights } from '../src/limiting/weights.ts';
import { freshKey, limiterSuite } from './limiter-suite.ts';
import { problemReply } from './origin.ts';
import { monthMs, type PlanBench, planSuite } from './plan-suite.ts';
import { grant, merchantId, told, walletId } from './stage.ts';
import { type Stand, type StandOptions, startStand } from './stand.ts';
import type { TakeCall } from './take-call.ts';

const startMs = 1_800_000_000_000;
/** workerd with objects on disk, as on Cloudflare; with objects in memory, a lost object would lose its row as well. */
let counters: Miniflare;

before(async () => {
  const bundle = await build({
    entryPoints: [join(import.meta.dirname, 'limiter.worker.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    external: ['cloudflare:*'],
  });
  counters = new Miniflare({
    script: bundle.outputFiles[0]?.text ?? '',
    modules: true,
    compatibilityDate: '2026-07-01',
    cf: false,
    durableObjects: {
      COUNTER: { className: 'TestCounter', useSQLite: true },
      PLANS: { className: 'TestPlans', useSQLite: true },
    },
  });
  await counters.ready;
});
after(() => counters.dispose());

async function call<Value>(path: string, members: Record<string, string | number>): Promise<Value> {
  const query = new URLSearchParams(
    Object.entries(members).map(([name, value]): [string, string] => [name, String(value)]),
  );
  const answer = await counters.dispatchFetch(`http://counters${path}?${query}`);
  assert.equal(answer.status, 200, path);
  return (await answer.json()) as Value;
}

/** Takes of one moment go in one request, and reach the object at once: not connections are to be tested, but counting. */
let asked: TakeCall[] = [];
let answered: Promise<Take[]> | null = null;

async function askTogether(): Promise<Take[]> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  const body = JSON.stringify(asked);
  asked = [];
  answered = null;
  const answer = await counters.dispatchFetch('http://counters/takes', { method: 'POST', body });
  assert.equal(answer.status, 200);
  return (await answer.json()) as Take[];
}

async function takeTogether(call: TakeCall): Promise<Take> {
  const at = asked.push(call) - 1;
  answered ??= askTogether();
  return (await answered)[at] as Take;
}

const object: RateLimiter = {
  take: (key, limit, nowMs, count = 1) => takeTogether({ key, limit, nowMs, count }),
  giveBack: (key, take) => call('/give-back', { key, at: take.atMs }),
};

limiterSuite('a Durable Object', () => object, { runs: 10 });

describe('the Durable Object', () => {
  it('has not forgotten when its memory is lost', async () => {
    const key = freshKey();
    for (let count = 0; count < 3; count++) assert.ok((await object.take(key, 3, startMs)).allowed);
    await call('/restart', { key });
    assert.ok(!(await object.take(key, 3, startMs)).allowed);
  });

  it('deletes its row when nothing in it counts, and not before', async () => {
    const key = freshKey();
    await object.take(key, 3, startMs);
    await call('/ring', { key, now: startMs + 30_000 });
    assert.equal(await call('/stored', { key }), true);
    await call('/ring', { key, now: startMs + 80_000 });
    assert.equal(await call('/stored', { key }), false);
    assert.ok((await object.take(key, 3, startMs + 80_000)).allowed);
  });

  it('writes nothing for what it refuses', async () => {
    const key = freshKey();
    assert.ok(!(await object.take(key, 0, startMs)).allowed);
    assert.equal(await call('/stored', { key }), false);
  });
});

/** Isolates, with clocks that are off, that lease from the objects in workerd. */
function leasesOf(skewsMs: readonly number[]): PlanBench {
  let nowMs = monthMs;
  const namespace: PlanCounters<string> = {
    idFromName: (name) => name,
    get: (key) => ({
      async lease(plan, ask) {
        const body = JSON.stringify({ plan, ask, nowMs });
        const target = `http://counters/plans/lease?key=${encodeURIComponent(key)}`;
        const answer = await counters.dispatchFetch(target, { method: 'POST', body });
        assert.equal(answer.status, 200);
        return (await answer.json()) as Lease;
      },
    }),
  };
  const isolates = skewsMs.map((skewMs) => {
    const isolateMs = () => nowMs + skewMs;
    const ports = { nowMs: isolateMs, steadyMs: isolateMs, report: (trouble: Trouble) => assert.fail(trouble) };
    return new LeasedPlans(namespace, new MemoryPlans(ports), ports);
  });
  return {
    isolates,
    setNow: (next) => {
      nowMs = next;
    },
    heldMax: (plan) => (skewsMs.length - 1) * 3 * spareMax(plan),
  };
}

const oneIsolate = leasesOf([0]);
const threeIsolates = leasesOf([0, 3_600_000, -7_000]);
planSuite('an isolate with leases of a Durable Object', () => oneIsolate, { runs: 5 });
planSuite('three isolates with leases of one Durable Object', () => threeIsolates, { runs: 5 });

describe('the Durable Object of a plan', () => {
  const plan: Plan = { burst: null, minute: 3, month: 4 };
  const ask = async (key: string, nowMs: number): Promise<number> => {
    const wanted: Ask = { must: 1, more: 0, spare: 0, unused: null };
    const body = JSON.stringify({ plan, ask: wanted, nowMs });
    const answer = await counters.dispatchFetch(`http://counters/plans/lease?key=${key}`, { method: 'POST', body });
    return ((await answer.json()) as Lease).granted;
  };

  it('has not forgotten when its memory is lost', async () => {
    for (let count = 0; count < 3; count++) assert.equal(await ask('restarted', monthMs), 1);
    await call('/plans/restart', { key: 'restarted' });
    assert.equal(await ask('restarted', monthMs), 0);
    assert.equal(await ask('restarted', monthMs + 80_000), 1);
    await call('/plans/restart', { key: 'restarted' });
    assert.equal(await ask('restarted', monthMs + 160_000), 0, 'the month');
  });

  it('deletes its row when the month is over, and not before', async () => {
    await ask('kept', monthMs);
    await call('/plans/ring', { key: 'kept', now: monthMs + 10 * 86_400_000 });
    assert.equal(await call('/plans/stored', { key: 'kept' }), true);
    await call('/plans/ring', { key: 'kept', now: monthMs + 31 * 86_400_000 });
    assert.equal(await call('/plans/stored', { key: 'kept' }), false);
  });

  it('writes nothing for what it refuses', async () => {
    const body = JSON.stringify({
      plan: { ...plan, minute: 0 },
      ask: { must: 1, more: 0, spare: 0, unused: null },
      nowMs: monthMs,
    });
    await counters.dispatchFetch('http://counters/plans/lease?key=refused', { method: 'POST', body });
    assert.equal(await call('/plans/stored', { key: 'refused' }), false);
  });
});

const stands: readonly (readonly [string, StandOptions])[] = [
  ['workerd, with counters of all isolates', { counters: true }],
  ['workerd, with the memory of its own', { counters: false }],
  ['Deno', { runtime: 'deno' }],
  ['Node', { runtime: 'node' }],
];
for (const [name, options] of stands) {
  describe(`the edge on ${name}`, () => {
    const target = `/v1/wallets/${walletId}/balance`;
    let stand: Stand;
    before(async () => {
      stand = await startStand(options);
    });
    after(() => stand.stop());

    it('lets exactly 100 of 1,000 at once from one address pass', async () => {
      const from = { 'cf-connecting-ip': '198.51.100.1' };
      const answers = await stand.askAtOnce(1_000, target, from);
      assert.equal(answers.filter((answer) => answer === '401 unauthenticated').length, 100);
      assert.equal(answers.filter((answer) => answer === '429 rate_limited').length, 900);
    });

    it('counts a /64 as one, and made-up keys on their address, five requests each', async () => {
      const headers = (at: number) => ({
        'cf-connecting-ip': `2001:db8::${at.toString(16)}`,
        authorization: `Bearer lp_live_${String(at).padStart(32, '0')}`,
      });
      const guesses = 100 / weights.unknownKey;
      const before = stand.origin.lookUps.length;
      const answers = [];
      for (let at = 0; at < 40; at++) answers.push(await told(await stand.ask(target, { headers: headers(at) })));
      assert.deepEqual(new Set(answers.slice(0, guesses)), new Set(['401 unauthenticated']));
      assert.deepEqual(new Set(answers.slice(guesses)), new Set(['429 rate_limited']));
      assert.equal(stand.origin.lookUps.length - before, guesses);
    });

    it('never lets more pass than the plans of a key and its merchant, and names them', async () => {
      const tenant = { plan: { requests_per_minute: 150, burst: null, requests_per_month: null }, allowed_origins: [] };
      const secrets = ['a', 'b'].map((letter) => `lp_live_${letter.repeat(32)}`);
      for (const [at, secret] of secrets.entries()) {
        const own = { requests_per_minute: 100, burst: 90, requests_per_month: 1_000 };
        stand.addKey(secret, { ...grant, ...own, api_key_id: `plan-${at}`, tenant });
      }
      stand.origin.reply = () => ({ status: 200, body: '{}' });
      const ask = (secret: string) => stand.ask(target, { headers: { authorization: `Bearer ${secret}` } });
      const passed = async (secret: string): Promise<number> => {
        const answers = await Promise.all(Array.from({ length: 200 }, async () => told(await ask(secret))));
        assert.deepEqual(new Set(answers), new Set(['200', '429 rate_limited']));
        return answers.filter((answer) => answer === '200').length;
      };
      const counts = [await passed(secrets[0] as string), await passed(secrets[1] as string)] as const;
      // The second may find the next bucket of its burst; of the minute none can have come back.
      assert.ok(counts[0] >= 90 && counts[0] <= 100, `${counts[0]}`);
      assert.equal(counts[0] + counts[1], 150);
      const refused = await ask(secrets[1] as string);
      assert.match(
        refused.headers.get('ratelimit-policy') ?? '',
        /^"key-burst";q=90;w=10, "key";q=100;w=60, "key-month";q=1000;w=\d+, "tenant";q=150;w=60$/,
      );
      assert.match(refused.headers.get('ratelimit') ?? '', /"tenant";r=0;t=\d+$/);
      assert.ok(Number(refused.headers.get('retry-after')) >= 1);
      assert.equal(await told(refused), '429 rate_limited');
    });

    it('slows a key that asks for what is not there, by its own count', async () => {
      const secret = `lp_live_${'m'.repeat(32)}`;
      stand.addKey(secret, { ...grant, api_key_id: 'misses', merchant_id: merchantId, requests_per_minute: 50 });
      stand.origin.reply = () => problemReply(404, 'not_found');
      const answers = [];
      for (let count = 0; count < 30; count++) {
        answers.push(await told(await stand.ask(target, { headers: { authorization: `Bearer ${secret}` } })));
      }
      const misses = answers.filter((answer) => answer === '404 not_found').length;
      // What is charged behind an answer may come after the next request.
      assert.ok(misses >= 50 / weights.notFound && misses <= 50 / weights.notFound + 5, `${misses}`);
      assert.equal(answers.at(-1), '429 rate_limited');
    });
  });
}
