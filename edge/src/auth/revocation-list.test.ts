/** Revocation by a clock that is set: how soon it reaches the edge, and what happens when core cannot be asked (V1 – V4). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { revocations } from '@local-plus/contracts';
import { bearer, createTokenStage, newPair, type TokenStage, tokenOf } from '../../test/issuer.ts';
import { told, walletId } from '../../test/stage.ts';
import { edgeLimits } from '../limits.ts';
import type { Trouble } from '../ports.ts';
import { RevocationList } from './revocation-list.ts';

const balance = `/v1/wallets/${walletId}/balance`;
const pair = await newPair('ES256', 'k');
const exp = 4_000_000_000;
const mine = await tokenOf(pair, { exp });
const otherMerchantId = '01890000-0000-7000-8000-0000000000cc';
const { revocationsFreshMs, revocationsWaitMs, revocationsServedMs, revocationsRetryMs, revocationsMax } = edgeLimits;

async function ask({ stage }: TokenStage, token = mine): Promise<string> {
  const answer = await told(await stage.ask(balance, { headers: bearer(token) }));
  await stage.settle();
  return answer;
}

describe('a revocation', () => {
  it('of before the first request is known to it', async () => {
    const issuer = await createTokenStage([pair]);
    issuer.revoke('token', 'token-1');
    assert.equal(await ask(issuer), '401 unauthenticated');
    assert.deepEqual(issuer.asked, []);
  });

  it('reaches a token in use with the first request after two seconds, and refuses the next', async () => {
    const issuer = await createTokenStage([pair]);
    assert.equal(await ask(issuer), '201');
    issuer.revoke('token', 'token-1');
    issuer.stage.passMs(revocationsFreshMs - 1);
    assert.equal(await ask(issuer), '201');
    assert.equal(issuer.readings, 1);
    issuer.stage.passMs(1);
    assert.equal(await ask(issuer), '201');
    assert.equal(issuer.readings, 2);
    assert.equal(await ask(issuer), '401 unauthenticated');
  });

  it('reaches a token in use, though somebody has set the clock back', async () => {
    const issuer = await createTokenStage([pair]);
    assert.equal(await ask(issuer), '201');
    issuer.revoke('token', 'token-1', { forMs: 7_200_000 });
    issuer.stage.setBackMs(3_600_000);
    issuer.stage.passMs(revocationsWaitMs);
    assert.equal(await ask(issuer), '401 unauthenticated');
  });

  it('reaches a token that was idle for ten seconds before it is used', async () => {
    const issuer = await createTokenStage([pair]);
    assert.equal(await ask(issuer), '201');
    issuer.revoke('token', 'token-1');
    issuer.stage.passMs(revocationsWaitMs);
    const answer = await issuer.stage.ask(balance, { headers: bearer(mine) });
    assert.equal(answer.headers.get('www-authenticate'), 'Bearer realm="local-plus", error="invalid_token"');
    assert.equal(await told(answer), '401 unauthenticated');
  });

  it('of a token leaves the other tokens of its customer; of a customer, none', async () => {
    const issuer = await createTokenStage([pair]);
    const another = await tokenOf(pair, { exp, jti: 'token-2' });
    const without = await tokenOf(pair, { exp, jti: undefined });
    const neighbour = await tokenOf(pair, { exp, sub: 'customer-2', jti: 'token-3' });
    issuer.revoke('token', 'token-1');
    assert.deepEqual(
      [await ask(issuer), await ask(issuer, another), await ask(issuer, without)],
      ['401 unauthenticated', '201', '201'],
    );
    issuer.revoke('subject', 'customer-1');
    issuer.stage.passMs(revocationsWaitMs);
    assert.deepEqual(
      [await ask(issuer, another), await ask(issuer, without), await ask(issuer, neighbour)],
      ['401 unauthenticated', '401 unauthenticated', '201'],
    );
  });

  it('takes no jti for a sub, nor a sub for a jti', async () => {
    const issuer = await createTokenStage([pair]);
    issuer.revoke('token', 'customer-1');
    issuer.revoke('subject', 'token-1');
    assert.equal(await ask(issuer), '201');
  });

  it('of one merchant’s customer is no other merchant’s', async () => {
    const issuer = await createTokenStage([pair]);
    issuer.revoke('subject', 'customer-1', { merchant_id: otherMerchantId });
    assert.equal(await ask(issuer), '201');
    const theirs = await tokenOf(pair, { exp, merchant_id: otherMerchantId });
    assert.equal(await ask(issuer, theirs), '401 unauthenticated');
  });

  it('holds until it expires', async () => {
    const issuer = await createTokenStage([pair]);
    issuer.revoke('token', 'token-1', { forMs: 5_000 });
    assert.equal(await ask(issuer), '401 unauthenticated');
    issuer.stage.passMs(4_999);
    assert.equal(await ask(issuer), '401 unauthenticated');
    issuer.stage.passMs(1);
    assert.equal(await ask(issuer), '201');
  });

  it('comes in pages, all of which are read', async () => {
    const issuer = await createTokenStage([pair]);
    issuer.pageRows = 3;
    for (let count = 0; count < 7; count++) issuer.revoke('token', `other-${count}`);
    issuer.revoke('token', 'token-1');
    assert.equal(await ask(issuer), '401 unauthenticated');
    assert.equal(issuer.readings, 3);
  });
});

describe('without core', () => {
  it('tokens pass for a minute on what is known, then none does: 503; and again when core is back', async () => {
    const issuer = await createTokenStage([pair]);
    assert.equal(await ask(issuer), '201');
    issuer.isCoreAway = true;
    issuer.stage.passMs(revocationsServedMs - 1);
    assert.equal(await ask(issuer), '201');
    issuer.stage.passMs(1);
    const answer = await issuer.stage.ask(balance, { headers: bearer(mine) });
    assert.equal(answer.headers.get('retry-after'), '1');
    assert.equal(await told(answer), '503 unavailable');
    issuer.isCoreAway = false;
    issuer.stage.passMs(revocationsRetryMs);
    assert.equal(await ask(issuer), '201');
  });

  it('a first token does not pass, and core is asked at most once a second', async () => {
    const issuer = await createTokenStage([pair]);
    issuer.isCoreAway = true;
    assert.equal(await ask(issuer), '503 unavailable');
    const { readings } = issuer;
    for (let count = 0; count < 20; count++) assert.equal(await ask(issuer), '503 unavailable');
    assert.equal(issuer.readings, readings);
    issuer.stage.passMs(revocationsRetryMs);
    await ask(issuer);
    assert.ok(issuer.readings > readings);
  });

  it('what is half read is not enough', async () => {
    const issuer = await createTokenStage([pair]);
    issuer.pageRows = 0;
    assert.equal(await ask(issuer), '503 unavailable');
    assert.equal(issuer.readings, edgeLimits.revocationPagesMax);
  });
});

describe('the list', () => {
  const never = () => undefined;
  const rows = (from: number, count: number, expires_at_ms: number): revocations.ListPage['data'] =>
    Array.from({ length: count }, (_, at) => {
      return { kind: 'token' as const, value: `t${from + at}`, merchant_id: null, expires_at_ms };
    });

  it('is full at its bound, accepts no token then, says so, and recovers when there is room (V3)', async () => {
    const troubles: Trouble[] = [];
    let nowMs = 1_000_000;
    const list = new RevocationList({
      nowMs: () => nowMs,
      steadyMs: () => nowMs,
      report: (trouble) => void troubles.push(trouble),
    });
    const places: number[] = [];
    const pages = new Map([
      [0, rows(0, revocationsMax, nowMs + 100_000)],
      [revocationsMax, rows(revocationsMax, 1, nowMs + 900_000)],
    ]);
    const read = async (after: number): Promise<revocations.ListPage> => {
      places.push(after);
      const data = pages.get(after) ?? [];
      return { data, next: after + data.length, is_last: data.length < 2 };
    };
    assert.equal(await list.isUsable(read, never), false);
    assert.deepEqual([troubles, places], [['revocations_full'], [0, revocationsMax]]);
    nowMs += 100_000;
    assert.equal(await list.isUsable(read, never), true);
    assert.deepEqual(places.slice(2), [revocationsMax]);
    assert.equal(list.revokes('m', 's', `t${revocationsMax}`), true);
    assert.equal(list.revokes('m', 's', 't0'), false);
  });

  it('is read by one at a time, and a reading that never ends is given up (V4)', async () => {
    let nowMs = 1_000_000;
    let readings = 0;
    let isStuck = false;
    const list = new RevocationList({ nowMs: () => nowMs, steadyMs: () => nowMs, report: never });
    const read = async (): Promise<revocations.ListPage> => {
      readings++;
      if (isStuck) await new Promise(never);
      return { data: [], next: 0, is_last: true };
    };
    assert.ok(await list.isUsable(read, never));
    isStuck = true;
    nowMs += revocationsFreshMs;
    for (let count = 0; count < 10; count++) assert.ok(await list.isUsable(read, never));
    assert.equal(readings, 2);
    isStuck = false;
    nowMs += edgeLimits.revocationsReadMs;
    assert.ok(await list.isUsable(read, never));
    assert.equal(readings, 3);
  });
});
