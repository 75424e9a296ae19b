/** The limits on the real runtimes: the Durable Object passes the limiters' suite, and the edge counts exactly. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';
import type { RateLimiter, Take } from '../src/limiting/limiter.ts';
import { freshKey, limiterSuite } from './limiter-suite.ts';
import { told, walletId } from './stage.ts';
import { type Stand, type StandOptions, startStand } from './stand.ts';

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
    durableObjects: { COUNTER: { className: 'TestCounter', useSQLite: true } },
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

const object: RateLimiter = {
  take: (key, limit, nowMs, count = 1) => call<Take>('/take', { key, limit, now: nowMs, count }),
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
      const answers = await Promise.all(
        Array.from({ length: 1_000 }, async () => told(await stand.ask(target, { headers: from }))),
      );
      assert.equal(answers.filter((answer) => answer === '401 unauthenticated').length, 100);
      assert.equal(answers.filter((answer) => answer === '429 rate_limited').length, 900);
    });

    it('counts a /64 as one, and made-up keys on their address', async () => {
      const headers = (at: number) => ({
        'cf-connecting-ip': `2001:db8::${at.toString(16)}`,
        authorization: `Bearer lp_live_${String(at).padStart(32, '0')}`,
      });
      const answers = [];
      for (let at = 0; at < 120; at++) answers.push(await told(await stand.ask(target, { headers: headers(at) })));
      assert.deepEqual(new Set(answers.slice(0, 100)), new Set(['401 unauthenticated']));
      assert.deepEqual(new Set(answers.slice(100)), new Set(['429 rate_limited']));
      assert.equal(stand.origin.lookUps.length, 100);
    });
  });
}
