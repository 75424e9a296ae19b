/** CORS per merchant: who may preflight, who may read, and what made-up origins cost. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '@local-plus/contracts';
import {
  authorized,
  createStage,
  earn,
  earnPath,
  grant,
  key,
  merchantId,
  type Stage,
  told,
  walletId,
} from '../test/stage.ts';
import { keyDigest } from './key-digests.ts';
import { weights } from './limiting/weights.ts';
import { edgeLimits } from './limits.ts';
import { plainSurface } from './surface-config.ts';

const shop = 'https://shop.example';
const otherShop = 'https://other.example';
const platform = 'https://console.example';
const otherMerchantId = '01890000-0000-7000-8000-0000000000cc';
const balance = `/v1/wallets/${walletId}/balance`;
const tenantOf = (...allowed_origins: string[]) => ({ plan: null, allowed_origins });

/** The known key is of a merchant with one shop; another merchant has another. */
async function stageWith(corsOrigins: readonly string[] = []): Promise<Stage> {
  const { ports } = await createStage();
  const surface = { ...plainSurface, corsOrigins, merchantOrigins: true };
  const stage = await createStage({ config: { ...ports.config, surface } });
  const tenant = tenantOf(shop);
  stage.tenants.set(merchantId, tenant).set(otherMerchantId, tenantOf(otherShop));
  stage.keys.set(await keyDigest(key), { ...grant, tenant });
  return stage;
}

const preflight = (origin: string): RequestInit => ({
  method: 'OPTIONS',
  headers: { origin, 'access-control-request-method': 'POST' },
});
const readableBy = (answer: Response): string | null => answer.headers.get('access-control-allow-origin');

describe('a preflight', () => {
  it('of any merchant’s origin is granted, without a key, and core is asked once', async () => {
    const stage = await stageWith();
    for (const origin of [shop, otherShop, shop, otherShop]) {
      const answer = await stage.ask(earnPath, preflight(origin));
      assert.deepEqual([answer.status, readableBy(answer)], [204, origin]);
      assert.equal(answer.headers.get('access-control-allow-credentials'), null);
      assert.equal(answer.headers.get('vary'), 'origin');
    }
    assert.deepEqual(stage.originsAsked, [shop, otherShop]);
    assert.deepEqual([stage.asked, stage.lookUps], [[], []]);
  });

  it('costs the address of a known origin nothing', async () => {
    const stage = await stageWith();
    for (let count = 0; count < 150; count++) assert.equal((await stage.ask(earnPath, preflight(shop))).status, 204);
    await stage.settle();
    for (let count = 0; count < 100; count++) assert.equal(await told(await stage.ask(balance)), '401 unauthenticated');
  });

  it('of a platform’s origin is granted without a question', async () => {
    const stage = await stageWith([platform]);
    assert.equal((await stage.ask(earnPath, preflight(platform))).status, 204);
    assert.deepEqual(stage.originsAsked, []);
  });

  it('of an origin that nobody allows is refused, and costs its address what guessing costs', async () => {
    const stage = await stageWith();
    const answers: string[] = [];
    for (let at = 0; at < 40; at++)
      answers.push(await told(await stage.ask(earnPath, preflight(`https://e${at}.example`))));
    const guesses = limits.ipRequestsPerMinute / weights.unknownKey;
    assert.deepEqual(new Set(answers.slice(0, guesses)), new Set(['403 origin_not_allowed']));
    assert.deepEqual(new Set(answers.slice(guesses)), new Set(['429 rate_limited']));
    assert.equal(stage.originsAsked.length, guesses);
    assert.equal((await stage.ask(earnPath, { ...preflight(shop), clientAddress: '192.0.2.2' })).status, 204);
  });

  for (const origin of [
    'null',
    '*',
    'http://shop.example',
    `${shop}/`,
    `${shop}:443x`,
    'https://SHOP.example',
    `https://${'a'.repeat(300)}`,
  ]) {
    it(`of ${JSON.stringify(origin.slice(0, 40))} is refused, and nobody is asked`, async () => {
      const stage = await stageWith();
      assert.equal(await told(await stage.ask(earnPath, preflight(origin))), '403 origin_not_allowed');
      assert.deepEqual(stage.originsAsked, []);
    });
  }

  it('for a path that is none is 404, and nobody is asked', async () => {
    const stage = await stageWith();
    assert.equal(await told(await stage.ask('/v1/nothing', preflight(shop))), '404 not_found');
    assert.deepEqual(stage.originsAsked, []);
  });

  it('is granted for a while when core is away, then 503', async () => {
    const stage = await stageWith();
    await stage.ask(earnPath, preflight(shop));
    stage.keepAway(true);
    stage.passMs(edgeLimits.keyServedMs - 1);
    assert.equal((await stage.ask(earnPath, preflight(shop))).status, 204);
    await stage.settle();
    stage.passMs(1);
    assert.equal(await told(await stage.ask(earnPath, preflight(shop))), '503 unavailable');
  });

  it('of an origin that was taken away is refused soon after', async () => {
    const stage = await stageWith();
    await stage.ask(earnPath, preflight(shop));
    stage.tenants.set(merchantId, tenantOf());
    stage.passMs(edgeLimits.keyFreshMs);
    await stage.ask(earnPath, preflight(shop));
    await stage.settle();
    assert.equal(await told(await stage.ask(earnPath, preflight(shop))), '403 origin_not_allowed');
  });
});

describe('an answer', () => {
  it('may be read by the origins of the caller’s own merchant, and by the platform’s', async () => {
    const stage = await stageWith([platform]);
    for (const [origin, expected] of [
      [shop, shop],
      [platform, platform],
      [otherShop, null],
      ['https://evil.example', null],
    ] as const) {
      await stage.ask(earnPath, preflight(origin));
      const answer = await stage.ask(earnPath, earn('{"amount":5}', { origin }));
      assert.deepEqual([answer.status, readableBy(answer), answer.headers.get('vary')], [201, expected, 'origin']);
    }
  });

  it('to nobody’s caller may be read by whoever may preflight', async () => {
    const stage = await stageWith();
    await stage.ask(balance, preflight(otherShop));
    const refused = await stage.ask(balance, { headers: { origin: otherShop } });
    assert.deepEqual([refused.status, readableBy(refused)], [401, otherShop]);
    assert.equal(readableBy(await stage.ask(balance, { headers: { origin: 'https://evil.example' } })), null);
  });

  it('to a caller whose merchant allows none may be read by no merchant’s', async () => {
    const stage = await stageWith();
    stage.keys.set(await keyDigest(key), { ...grant, tenant: null });
    await stage.ask(balance, preflight(shop));
    assert.equal(readableBy(await stage.ask(balance, { headers: { ...authorized, origin: shop } })), null);
  });

  it('is as if there were no CORS unless it is switched on', async () => {
    const stage = await createStage();
    stage.tenants.set(merchantId, tenantOf(shop));
    assert.equal(await told(await stage.ask(earnPath, preflight(shop))), '405 method_not_allowed');
    assert.equal((await stage.ask(earnPath, earn())).headers.get('vary'), null);
  });
});
