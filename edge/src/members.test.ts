/** What a token does whose bearer is a member: what its role allows, by core's word, for as long as that is young. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type merchants, routes } from '@local-plus/contracts';
import { bearer, createTokenStage, newPair, tokenOf } from '../test/issuer.ts';
import { authorized, grant, jsonResponse, key, merchantId, startMs, told, walletId } from '../test/stage.ts';
import { keyDigest } from './key-digests.ts';
import { edgeLimits } from './limits.ts';

const pair = await newPair('ES256', 'k');
const balance = `/v1/wallets/${walletId}/balance`;
const keys = `/v1/merchants/${merchantId}/api-keys`;
const name = `${merchantId} customer-1`;
const member = async (scope = 'member') => bearer(await tokenOf(pair, { scope, exp: startMs / 1_000 + 3_600 }));

describe('a member', () => {
  it('does what its role allows, and of that only what its token names', async () => {
    const { stage, asked, members } = await createTokenStage([pair]);
    members.set(name, { role: 'owner', scopes: ['wallets:read', 'keys:read'] });
    assert.equal(await told(await stage.ask(balance, { headers: await member() })), '201');
    assert.equal(await told(await stage.ask(keys, { headers: await member() })), '201');
    assert.equal(await told(await stage.ask(keys, { headers: await member('member wallets:read') })), '403 forbidden');
    assert.equal(await told(await stage.ask(balance, { headers: await member('wallets:read member') })), '201');
    assert.equal(asked.length, 3);
  });

  it('is none by its token’s word alone, and a customer is not asked about', async () => {
    const { stage, asked, membersAsked } = await createTokenStage([pair]);
    const all = Object.values(routes).flatMap(({ scope }) => scope ?? []);
    assert.equal(await told(await stage.ask(keys, { headers: await member(all.join(' ')) })), '403 forbidden');
    assert.deepEqual(membersAsked, []);
    assert.equal(
      await told(await stage.ask(balance, { headers: await member('member wallets:read') })),
      '403 forbidden',
    );
    assert.deepEqual([membersAsked, asked], [[name], []]);
  });

  it('is asked about once in a while, and removed within seconds', async () => {
    const { stage, members, membersAsked } = await createTokenStage([pair]);
    members.set(name, { role: 'cashier', scopes: ['wallets:read'] });
    const headers = await member();
    const ask = async () => told(await stage.ask(balance, { headers }));
    assert.deepEqual(await Promise.all([ask(), ask(), ask()]), ['201', '201', '201']);
    assert.equal(membersAsked.length, 1);
    members.delete(name);
    stage.passMs(edgeLimits.keyFreshMs);
    assert.equal(await ask(), '201', 'it is asked behind this one');
    await stage.settle();
    assert.equal(await ask(), '403 forbidden');
  });

  it('waits for core where nothing is known, and is not let through without it', async () => {
    const { stage, keepAway, members } = await createTokenStage([pair]);
    members.set(name, { role: 'cashier', scopes: ['wallets:read'] });
    const headers = await member();
    assert.equal(await told(await stage.ask(balance, { headers: bearer(await tokenOf(pair, {})) })), '201');
    keepAway(true);
    assert.equal(await told(await stage.ask(balance, { headers })), '503 unavailable');
    assert.equal(await told(await stage.ask('/v1/catalog', { headers })), '503 unavailable', 'by the origin');
    keepAway(false);
    stage.passMs(edgeLimits.circuit.backOffMsMax);
    // One question finds out that core is back: this request's, or one that is asked beside it.
    const first = await told(await stage.ask(balance, { headers }));
    assert.ok(['201', '503 unavailable'].includes(first), first);
    await stage.settle();
    assert.equal(await told(await stage.ask(balance, { headers })), '201');
  });
});

describe('a merchant that is not active', () => {
  for (const status of ['draft', 'submitted', 'suspended', 'closed'] as const satisfies merchants.MerchantStatus[]) {
    it(`has no customers who call while it is ${status}, and members who may do what core says`, async () => {
      const { stage, asked, members, tenants, answer: respond } = await createTokenStage([pair]);
      respond(() => jsonResponse(200, { data: [], next_cursor: null }));
      tenants.set(merchantId, { status });
      members.set(name, { role: 'owner', scopes: ['keys:read'] });
      const headers = bearer(await tokenOf(pair, {}));
      const answer = await stage.ask(balance, { headers });
      assert.notEqual(answer.headers.get('ratelimit'), null, 'it is counted');
      assert.equal(await told(answer), '403 merchant_inactive');
      assert.equal(asked.length, 0);
      assert.equal(await told(await stage.ask('/v1/catalog', { headers })), '200', 'what is public is');
      assert.equal(await told(await stage.ask(keys, { headers: await member() })), '200');
    });
  }
});

describe('a key that expires', () => {
  it('is refused from then on, however young core’s word is', async () => {
    const { stage, keys: known } = await createTokenStage([pair]);
    const digest = await keyDigest(key);
    known.set(digest, { ...grant, expires_at_ms: startMs + 1_000 });
    const ask = async () => told(await stage.ask(balance, { headers: authorized }));
    assert.equal(await ask(), '201');
    stage.passMs(999);
    assert.equal(await ask(), '201');
    stage.passMs(1);
    assert.equal(await ask(), '401 unauthenticated');
  });
});
