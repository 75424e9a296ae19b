/** What a customer's token can do: scopes, tenant, plan, address; and that what is remembered of it does not outlive it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { limits } from '@local-plus/contracts';
import type { PlanLimiter } from '../../index.ts';
import { bearer, createTokenStage, identity, newPair, tokenOf } from '../../test/issuer.ts';
import {
  authorized,
  createStage,
  earn,
  earnPath,
  grant,
  key,
  merchantId,
  startMs,
  told,
  walletId,
} from '../../test/stage.ts';
import { keyDigest } from '../key-digests.ts';
import { weights } from '../limiting/weights.ts';

const balance = `/v1/wallets/${walletId}/balance`;
const pair = await newPair('ES256', 'k');
const nowS = startMs / 1_000;
const otherMerchantId = '01890000-0000-7000-8000-0000000000cc';

async function many(count: number, ask: () => Promise<Response>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const answer of await Promise.all(Array.from({ length: count }, async () => told(await ask())))) {
    counts[answer] = (counts[answer] ?? 0) + 1;
  }
  return counts;
}

/** One after the other: what a failure is charged is charged before the next one comes. */
async function inTurn(count: number, ask: () => Promise<Response>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let at = 0; at < count; at++) {
    const answer = await told(await ask());
    counts[answer] = (counts[answer] ?? 0) + 1;
  }
  return counts;
}

/** Bad tokens that an address may try in a minute. */
const passed = Math.floor(limits.ipRequestsPerMinute / weights.badToken);

describe('a customer', () => {
  it('does what its scopes say, and is told which one lacks', async () => {
    const { stage, asked } = await createTokenStage([pair]);
    const headers = bearer(await tokenOf(pair, { scope: 'openid wallets:read profile' }));
    assert.equal(await told(await stage.ask(balance, { headers })), '201');
    const answer = await stage.ask(earnPath, earn('{"amount":5}', headers));
    const challenge = 'Bearer realm="local-plus", error="insufficient_scope", scope="transactions:write"';
    assert.equal(answer.headers.get('www-authenticate'), challenge);
    assert.equal(await told(answer), '403 forbidden');
    assert.equal(asked.length, 1);
  });

  it('without a scope may do what is public only', async () => {
    const { stage, answer } = await createTokenStage([pair]);
    const headers = bearer(await tokenOf(pair, { scope: undefined }));
    assert.equal(await told(await stage.ask(balance, { headers })), '403 forbidden');
    answer(() => Response.json({ data: [], next_cursor: null }));
    assert.equal(await told(await stage.ask('/v1/catalog', { headers })), '200');
  });

  it('is never the operator, whatever its token says', async () => {
    const { stage, asked } = await createTokenStage([pair]);
    const headers = bearer(await tokenOf(pair, { scope: 'admin wallets:read' }));
    assert.equal(await told(await stage.ask('/v1/merchants', earn('{"name":"a"}', headers))), '403 forbidden');
    assert.equal(await told(await stage.ask(balance, { headers })), '201');
    assert.ok(asked[0]?.headers['lp-context']?.endsWith(';customer-1;wallets:read'));
  });

  it('is of the merchant that the configured claim names', async () => {
    const tokens = { ...identity, tenantClaim: 'https://shop.example/tenant' };
    const { stage, asked } = await createTokenStage([pair], { tokens });
    const token = await tokenOf(pair, { merchant_id: merchantId, [tokens.tenantClaim]: otherMerchantId });
    assert.equal(await told(await stage.ask(balance, { headers: bearer(token) })), '201');
    assert.ok(asked[0]?.headers['lp-context']?.includes(`;${otherMerchantId};customer-1;`));
  });

  it('has a plan of its own: not its address’s, nor that of a key or a customer of the same name', async () => {
    const { stage } = await createTokenStage([pair]);
    const headers = bearer(await tokenOf(pair, { sub: grant.api_key_id }));
    const plan = limits.customerRequestsPerMinute;
    const answers = await many(plan + 20, () => stage.ask(balance, { headers }));
    assert.deepEqual(answers, { 201: plan, '429 rate_limited': 20 });
    const other = bearer(await tokenOf(pair, { sub: grant.api_key_id, merchant_id: otherMerchantId }));
    assert.equal(await told(await stage.ask(balance, { headers: other })), '201');
    assert.equal(await told(await stage.ask(balance, { headers: authorized })), '201');
    await stage.settle();
    assert.deepEqual(await many(101, () => stage.ask(balance)), { '401 unauthenticated': 100, '429 rate_limited': 1 });
  });

  it('counts on its merchant’s plan, too, with the merchant’s keys; of another merchant it does not', async () => {
    const { stage, keys, tenants, tenantsAsked } = await createTokenStage([pair]);
    const tenant = { plan: { requests_per_minute: 10, burst: null, requests_per_month: null }, allowed_origins: [] };
    tenants.set(merchantId, tenant);
    keys.set(await keyDigest(key), { ...grant, tenant });
    const [one, two] = [bearer(await tokenOf(pair)), bearer(await tokenOf(pair, { sub: 'customer-2' }))];
    const theirs = bearer(await tokenOf(pair, { merchant_id: otherMerchantId }));
    assert.deepEqual(await inTurn(4, () => stage.ask(balance, { headers: one })), { 201: 4 });
    assert.deepEqual(await inTurn(4, () => stage.ask(balance, { headers: two })), { 201: 4 });
    assert.deepEqual(await inTurn(4, () => stage.ask(balance, { headers: authorized })), {
      201: 2,
      '429 rate_limited': 2,
    });
    const refused = await stage.ask(balance, { headers: one });
    assert.equal(refused.headers.get('ratelimit-policy'), '"customer";q=300;w=60, "tenant";q=10;w=60');
    assert.match(refused.headers.get('ratelimit') ?? '', /^"customer";r=296;t=\d+, "tenant";r=0;t=\d+$/);
    assert.equal(await told(refused), '429 rate_limited');
    assert.equal(await told(await stage.ask(balance, { headers: theirs })), '201');
    assert.deepEqual(tenantsAsked, [merchantId, otherMerchantId], 'each is asked for once');
  });

  it('of a merchant that core cannot be asked about does not pass, and does again', async () => {
    const core = await createTokenStage([pair]);
    const { ports } = core.stage;
    let isAway = true;
    const fetch: typeof ports.fetch = async (url, request) => {
      if (isAway && new URL(url).pathname.startsWith('/internal/tenants/')) throw new TypeError('connection refused');
      return ports.fetch(url, request);
    };
    const stage = await createStage({ ...ports, fetch });
    const headers = bearer(await tokenOf(pair));
    assert.equal(await told(await stage.ask(balance, { headers })), '503 unavailable');
    isAway = false;
    assert.equal(await told(await stage.ask(balance, { headers })), '201');
  });
});

describe('a token that is none', () => {
  it('uses up the address that sends it: 401, then 429, and is then not even verified', async () => {
    const { stage } = await createTokenStage([pair]);
    const headers = bearer(await tokenOf(pair, { aud: 'other' }));
    const answers = await inTurn(120, () => stage.ask(balance, { headers }));
    assert.deepEqual(answers, { '401 unauthenticated': passed, '429 rate_limited': 120 - passed });
  });

  it('on a public route is nobody’s: counted by address, not refused', async () => {
    const { stage, answer } = await createTokenStage([pair]);
    answer(() => Response.json({ data: [], next_cursor: null }));
    const headers = bearer(await tokenOf(pair, { aud: 'other' }));
    const answers = await inTurn(120, () => stage.ask('/v1/catalog', { headers }));
    assert.deepEqual(answers, { 200: passed, '429 rate_limited': 120 - passed });
  });

  it('and one that cannot be checked withholds nothing public', async () => {
    const issuer = await createTokenStage([pair]);
    issuer.respond = () => new Response('', { status: 500 });
    issuer.answer(() => Response.json({ data: [], next_cursor: null }));
    const headers = bearer(await tokenOf(pair));
    assert.equal((await issuer.stage.ask('/v1/catalog', { headers })).status, 200);
    assert.equal(await told(await issuer.stage.ask(balance, { headers })), '503 unavailable');
  });
});

describe('what is remembered of a token', () => {
  it('is there for all who bring it as soon as it is verified, whatever the first of them waits for then', async () => {
    const { ports } = (await createTokenStage([pair])).stage;
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    let takes = 0;
    const taken = {
      allowed: true,
      retryMs: 0,
      left: { burst: null, minute: null, month: null },
      ageMs: 0,
      leased: 0,
      atMs: 0,
    };
    const plans: PlanLimiter = {
      take: () => (takes++ === 0 ? held.then(() => taken) : taken),
      giveBack: () => undefined,
    };
    const stage = await createStage({ ...ports, plans });
    const headers = bearer(await tokenOf(pair));
    // Whose digest is there first is the runtime's to say: one of them is held, and the other answered meanwhile.
    const both = [1, 2].map(async () => told(await stage.ask(balance, { headers })));
    const late = pause(3_000).then(() => 'late');
    assert.equal(await Promise.race([...both, late]), '201');
    assert.equal(takes, 2);
    release();
    assert.deepEqual(await Promise.all(both), ['201', '201']);
  });

  it('ends with the token', async () => {
    const { stage } = await createTokenStage([pair]);
    const headers = bearer(await tokenOf(pair, { exp: nowS + 5 }));
    assert.equal(await told(await stage.ask(balance, { headers })), '201');
    stage.passMs(4_999);
    assert.equal(await told(await stage.ask(balance, { headers })), '201');
    stage.passMs(1);
    const answer = await stage.ask(balance, { headers });
    assert.equal(answer.headers.get('www-authenticate'), 'Bearer realm="local-plus", error="invalid_token"');
    assert.equal(await told(answer), '401 unauthenticated');
  });

  it('is never the token: neither core nor the log sees it', async () => {
    const { stage, asked } = await createTokenStage([pair]);
    const token = await tokenOf(pair);
    await stage.ask(earnPath, earn('{"amount":5}', bearer(token)));
    assert.equal(asked.length, 1);
    assert.ok(!JSON.stringify([asked, stage.troubles]).includes(token.split('.')[2] as string));
  });
});
