/** An issuer's keys while it rotates them, goes away, or answers nonsense (J1 – J4). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bearer, createTokenStage, identity, newPair, type TokenStage, tokenOf } from '../../test/issuer.ts';
import { jsonResponse, told, walletId } from '../../test/stage.ts';
import { edgeLimits } from '../limits.ts';

const balance = `/v1/wallets/${walletId}/balance`;
const [first, second] = await Promise.all([newPair('ES256', 'first'), newPair('ES256', 'second')]);
const { jwksFreshMs, jwksServedMs, jwksUnknownMs, jwksRetryMs, jwksBytesMax, jwksKeysMax } = edgeLimits;
/** Longer than any test lasts. */
const exp = 4_000_000_000;
const [byFirst, bySecond] = await Promise.all([tokenOf(first, { exp }), tokenOf(second, { exp })]);

async function ask({ stage }: TokenStage, token: string): Promise<string> {
  const answer = await told(await stage.ask(balance, { headers: bearer(token) }));
  await stage.settle();
  return answer;
}

describe('an issuer’s keys', () => {
  it('are asked for once, however many tokens come at once', async () => {
    const issuer = await createTokenStage([first]);
    const answers = await Promise.all(
      Array.from({ length: 50 }, async () => told(await issuer.stage.ask(balance, { headers: bearer(byFirst) }))),
    );
    assert.deepEqual([...new Set(answers)], ['201']);
    assert.deepEqual(issuer.askedOutside, [identity.jwksUrl]);
  });

  it('that are rotated in are found at once, and refused as soon as they are rotated out', async () => {
    const issuer = await createTokenStage([first]);
    assert.equal(await ask(issuer, byFirst), '201');
    issuer.jwks = [first.jwk, second.jwk];
    assert.equal(await ask(issuer, bySecond), '201');
    assert.equal(issuer.askedOutside.length, 2);
    issuer.jwks = [second.jwk];
    issuer.stage.passMs(jwksFreshMs);
    assert.equal(await ask(issuer, bySecond), '201');
    assert.equal(await ask(issuer, byFirst), '401 unauthenticated');
  });

  it('that are rotated out are refused in time, though somebody has set the clock back', async () => {
    const issuer = await createTokenStage([first]);
    assert.equal(await ask(issuer, byFirst), '201');
    issuer.jwks = [second.jwk];
    issuer.stage.setBackMs(3_600_000);
    issuer.stage.passMs(jwksServedMs);
    assert.equal(await ask(issuer, byFirst), '401 unauthenticated');
  });

  it('that are replaced under the same kid verify nothing that the old one signed', async () => {
    const issuer = await createTokenStage([first]);
    assert.equal(await ask(issuer, byFirst), '201');
    issuer.jwks = [{ ...second.jwk, kid: 'first' }];
    issuer.stage.passMs(jwksFreshMs);
    await ask(issuer, byFirst);
    assert.equal(await ask(issuer, byFirst), '401 unauthenticated');
    assert.equal(await ask(issuer, await tokenOf({ ...second, kid: 'first' }, { exp })), '201');
  });

  it('that are unknown are asked for at most once in thirty seconds (J2)', async () => {
    const issuer = await createTokenStage([first]);
    const unknown = async (kid: string) => ask(issuer, await tokenOf(first, { exp }, { kid }));
    assert.equal(await unknown('a'), '401 unauthenticated');
    assert.equal(issuer.askedOutside.length, 1, 'what was just read is not read again');
    for (let count = 0; count < 40; count++) assert.equal(await unknown(`b${count}`), '401 unauthenticated');
    assert.equal(issuer.askedOutside.length, 2);
    issuer.stage.passMs(jwksUnknownMs - 1);
    await unknown('c');
    assert.equal(issuer.askedOutside.length, 2);
    issuer.stage.passMs(1);
    await unknown('d');
    assert.equal(issuer.askedOutside.length, 3);
  });

  it('are used for ten minutes, then read again behind, and for an hour while the issuer is away (J1)', async () => {
    const issuer = await createTokenStage([first]);
    assert.equal(await ask(issuer, byFirst), '201');
    issuer.stage.passMs(jwksFreshMs - 1);
    assert.equal(await ask(issuer, byFirst), '201');
    assert.equal(issuer.askedOutside.length, 1);
    issuer.respond = () => new Response('no', { status: 503 });
    issuer.stage.passMs(1);
    assert.equal(await ask(issuer, byFirst), '201');
    assert.equal(await ask(issuer, byFirst), '201');
    assert.equal(issuer.askedOutside.length, 2);
    issuer.stage.passMs(jwksServedMs - jwksFreshMs - 1);
    assert.equal(await ask(issuer, byFirst), '201');
    issuer.stage.passMs(1);
    assert.equal(await ask(issuer, byFirst), '503 unavailable');
    assert.ok(issuer.stage.troubles.includes('issuer_away'));
    issuer.respond = null;
    issuer.stage.passMs(jwksRetryMs);
    assert.equal(await ask(issuer, byFirst), '201');
  });

  it('that were never had: 503 with Retry-After, and the issuer is asked at most once a second', async () => {
    const issuer = await createTokenStage([first]);
    issuer.respond = () => Promise.reject(new TypeError('connection refused'));
    for (let count = 0; count < 150; count++) {
      const answer = await issuer.stage.ask(balance, { headers: bearer(byFirst) });
      assert.equal(answer.headers.get('retry-after'), '1');
      assert.equal(await told(answer), '503 unavailable');
    }
    assert.equal(issuer.askedOutside.length, 1);
    issuer.stage.answer(() => jsonResponse(200, {}));
    assert.deepEqual(issuer.asked, []);
  });

  it('that may have been rotated while the issuer is away are not called wrong: 503', async () => {
    const issuer = await createTokenStage([first]);
    assert.equal(await ask(issuer, byFirst), '201');
    issuer.respond = () => new Response('no', { status: 500 });
    assert.equal(await ask(issuer, bySecond), '503 unavailable');
    assert.equal(await ask(issuer, byFirst), '201');
  });
});

describe('a key set is none when it', () => {
  const set = (keys: unknown) => () => jsonResponse(200, { keys });
  const nonsense: readonly (readonly [string, () => Response])[] = [
    ['is no JSON', () => new Response('{')],
    ['is a list', () => jsonResponse(200, [first.jwk])],
    ['has no list of keys', set({ first: first.jwk })],
    ['is empty', set([])],
    ['is a redirect', () => new Response(null, { status: 302, headers: { location: 'https://evil.test/jwks' } })],
    ['is an error', () => jsonResponse(404, { keys: [first.jwk] })],
    ['is too large', () => jsonResponse(200, { keys: [first.jwk], x: 'x'.repeat(jwksBytesMax) })],
    ['has its key too far down', set([...Array.from({ length: jwksKeysMax }, () => ({})), first.jwk])],
    ['has a key without kid', set([{ ...first.jwk, kid: undefined }])],
    ['has a key for encryption', set([{ ...first.jwk, use: 'enc' }])],
    ['has a key of another algorithm', set([{ ...first.jwk, alg: 'ES384' }])],
    ['has a key of another curve', set([{ ...first.jwk, crv: 'P-384' }])],
    ['has a secret', set([{ kty: 'oct', k: 'AAAA', kid: 'first', alg: 'HS256' }])],
    ['has a point that is on no curve', set([{ ...first.jwk, x: first.jwk['y'], y: first.jwk['x'] }])],
    ['has a short RSA key', set([{ kty: 'RSA', n: 'u'.repeat(171), e: 'AQAB', kid: 'first' }])],
    ['has no members in it', set(['first', null, 1])],
  ];
  for (const [name, respond] of nonsense) {
    it(name, async () => {
      const issuer = await createTokenStage([first]);
      issuer.respond = respond;
      assert.equal(await ask(issuer, byFirst), '503 unavailable');
      assert.deepEqual(issuer.stage.troubles, ['issuer_away']);
      assert.deepEqual(issuer.askedOutside, [identity.jwksUrl]);
    });
  }

  it('and one bad key among good ones is passed over', async () => {
    const issuer = await createTokenStage([first]);
    issuer.jwks = [
      { kty: 'RSA', n: 'AA', e: 'AQAB', kid: 'first' },
      { ...first.jwk, alg: undefined, use: undefined },
    ];
    assert.equal(await ask(issuer, byFirst), '201');
  });
});
