/** Every token that must not pass: 401 with `invalid_token`, nothing told, nothing forwarded. And those that must. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bearer, createTokenStage, encode, goodClaims, identity, newPair, signed, tokenOf } from '../../test/issuer.ts';
import { authorized, merchantId, startMs, told, walletId } from '../../test/stage.ts';
import { base64Url } from '../encoding.ts';

const balance = `/v1/wallets/${walletId}/balance`;
const nowS = startMs / 1_000;
const [rsa, elliptic, edwards, stranger] = await Promise.all([
  newPair('RS256', 'rsa'),
  newPair('ES256', 'elliptic'),
  newPair('EdDSA', 'edwards'),
  newPair('RS256', 'rsa'),
]);
const published = [rsa, elliptic, edwards];

/** The oldest trick: the public key's bytes as an HMAC secret, in each form in which a library may take them. */
async function hmacToken(secret: Uint8Array<ArrayBuffer>, alg: string): Promise<string> {
  const parameters = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', secret, parameters, false, ['sign']);
  const input = `${encode({ alg, typ: 'JWT', kid: 'rsa' })}.${encode(goodClaims())}`;
  const signature = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(input));
  return `${input}.${base64Url(new Uint8Array(signature))}`;
}

async function publicKeyBytes(): Promise<{ spki: Uint8Array<ArrayBuffer>; pem: Uint8Array<ArrayBuffer> }> {
  const parameters = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('jwk', rsa.jwk as never, parameters, true, ['verify']);
  const spki = new Uint8Array((await crypto.subtle.exportKey('spki', key)) as ArrayBuffer);
  const base64 = btoa(String.fromCharCode(...spki)).replaceAll(/.{64}/g, '$&\n');
  const text = `-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----\n`;
  return { spki, pem: new TextEncoder().encode(text) as Uint8Array<ArrayBuffer> };
}

const header = (change: object) => encode({ alg: 'RS256', typ: 'JWT', kid: 'rsa', ...change });
const none = (alg: string) => `${header({ alg })}.${encode(goodClaims())}.`;
const reshape = async (reshaping: (parts: [string, string, string]) => string) =>
  reshaping((await tokenOf(rsa)).split('.') as [string, string, string]);
/** The same bytes in another text: the last character of 256 bytes carries four bits that must be zero. */
function withBitsLeftOver(parts: readonly string[]): string {
  const text = parts.join('.');
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.slice(-1)) + 1];
}
const { spki, pem } = await publicKeyBytes();

const refused: readonly (readonly [string, string | Promise<string>])[] = [
  ['alg none', none('none')],
  ['alg None', none('None')],
  [
    'alg none with a signature',
    reshape(([, payload, signature]) => `${header({ alg: 'none' })}.${payload}.${signature}`),
  ],
  ['no signature', reshape(([head, payload]) => `${head}.${payload}.`)],
  ['RS256 → HS256, the key as SPKI', hmacToken(spki, 'HS256')],
  ['RS256 → HS256, the key as PEM', hmacToken(pem, 'HS256')],
  ['an HMAC that says RS256', hmacToken(pem, 'RS256')],
  ['another algorithm than the key’s', tokenOf(rsa, {}, { alg: 'ES256' })],
  ['another key’s kid', tokenOf(elliptic, {}, { kid: 'rsa' })],
  ['an algorithm that is not listed', tokenOf(rsa, {}, { alg: 'PS256' })],
  ['an algorithm that is no text', tokenOf(rsa, {}, { alg: ['RS256'] })],
  ['a key of somebody else under a known kid', tokenOf(stranger)],
  ['a key that it brings along', tokenOf(stranger, {}, { jwk: stranger.jwk })],
  ['an address of a key', tokenOf(stranger, {}, { jku: 'https://evil.test/jwks', x5u: 'https://evil.test/x' })],
  ['a traversing kid', tokenOf(rsa, {}, { kid: '../../x' })],
  ['a kid that is an address', tokenOf(rsa, {}, { kid: 'https://evil.test/key' })],
  ['a kid of the prototype', tokenOf(rsa, {}, { kid: '__proto__' })],
  ['no kid', tokenOf(rsa, {}, { kid: undefined })],
  ['a kid that is no text', tokenOf(rsa, {}, { kid: 1 })],
  ['a typ of something else', tokenOf(rsa, {}, { typ: 'logout+jwt' })],
  ['an id token’s lack of typ', tokenOf(rsa, {}, { typ: undefined })],
  ['crit', tokenOf(rsa, {}, { crit: ['exp'] })],
  ['an empty crit', tokenOf(rsa, {}, { crit: [] })],
  ['a wrong iss', tokenOf(rsa, { iss: 'https://issuer.test' })],
  ['no iss', tokenOf(rsa, { iss: undefined })],
  ['a wrong aud', tokenOf(rsa, { aud: 'other' })],
  ['no aud', tokenOf(rsa, { aud: undefined })],
  ['a list of others as aud', tokenOf(rsa, { aud: ['other', 'local-plus-2'] })],
  ['an empty list as aud', tokenOf(rsa, { aud: [] })],
  ['an aud nested', tokenOf(rsa, { aud: [['local-plus'], 'local-plus'] })],
  ['expired', tokenOf(rsa, { exp: nowS - 1 })],
  ['expired this moment', tokenOf(rsa, { exp: nowS })],
  ['no exp', tokenOf(rsa, { exp: undefined })],
  ['an exp that is a text', tokenOf(rsa, { exp: String(nowS + 60) })],
  ['an nbf too far ahead', tokenOf(rsa, { nbf: nowS + 61 })],
  ['an iat too far ahead', tokenOf(rsa, { iat: nowS + 61 })],
  ['an iat that is a text', tokenOf(rsa, { iat: 'now' })],
  ['no sub', tokenOf(rsa, { sub: undefined })],
  ['a sub of other characters', tokenOf(rsa, { sub: 'a;admin' })],
  ['a sub too long', tokenOf(rsa, { sub: 'a'.repeat(65) })],
  ['the edge as sub', tokenOf(rsa, { sub: 'edge' })],
  ['the operator as sub', tokenOf(rsa, { sub: 'operator' })],
  ['nobody as sub', tokenOf(rsa, { sub: 'public' })],
  ['no merchant', tokenOf(rsa, { merchant_id: undefined })],
  ['a merchant that is no id', tokenOf(rsa, { merchant_id: `${merchantId};x` })],
  ['several merchants', tokenOf(rsa, { merchant_id: [merchantId] })],
  ['a scope that is a list', tokenOf(rsa, { scope: ['wallets:read'] })],
  ['a jti that could not be revoked', tokenOf(rsa, { jti: 'a b' })],
  ['a jti that is a number', tokenOf(rsa, { jti: 7 })],
  [
    'another payload',
    reshape(([head, , signature]) => `${head}.${encode({ ...goodClaims(), sub: 'b' })}.${signature}`),
  ],
  [
    'a signature of another length',
    reshape(([head, payload, signature]) => `${head}.${payload}.${signature.slice(4)}`),
  ],
  ['bits left over in its signature', reshape(withBitsLeftOver)],
  ['too long', tokenOf(rsa, { x: 'x'.repeat(8 * 1024) })],
  ['a payload that is no object', signed(rsa, `${header({})}.${encode('[]')}`)],
  ['a payload that is null', signed(rsa, `${header({})}.${encode('null')}`)],
  ['a payload that is no JSON', signed(rsa, `${header({})}.${encode('{')}`)],
  [
    'a claim that stands twice',
    signed(rsa, `${header({})}.${encode(JSON.stringify(goodClaims()).replace('{', '{"exp":1,'))}`),
  ],
  ['an empty header', signed(rsa, `.${encode(goodClaims())}`)],
  ['nothing but dots', '..'],
];

describe('a token is refused: 401, and core is not asked, for', () => {
  for (const [name, making] of refused) {
    it(name, async () => {
      const { stage, asked, askedOutside } = await createTokenStage(published);
      const answer = await stage.ask(balance, { headers: bearer(await making) });
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer realm="local-plus", error="invalid_token"');
      const document = (await answer.json()) as { code: string; detail: string };
      assert.deepEqual([answer.status, document.code], [401, 'unauthenticated']);
      assert.equal(document.detail, 'A valid API key or token is needed.');
      assert.deepEqual(asked, []);
      assert.ok(
        askedOutside.every((url) => url === identity.jwksUrl),
        String(askedOutside),
      );
      assert.deepEqual(stage.troubles, []);
    });
  }

  it('two at once, or one beside a key', async () => {
    const { stage, asked } = await createTokenStage(published);
    const token = await tokenOf(rsa);
    for (const authorization of [`Bearer ${token}, Bearer ${token}`, `Bearer ${token} x`, `Basic ${token}`]) {
      assert.equal(await told(await stage.ask(balance, { headers: { authorization } })), '401 unauthenticated');
    }
    assert.deepEqual(asked, []);
  });

  it('any, where there is no issuer', async () => {
    const { stage, askedOutside } = await createTokenStage(published, { tokens: null });
    const answer = await stage.ask(balance, { headers: bearer(await tokenOf(rsa)) });
    assert.equal(answer.headers.get('www-authenticate'), 'Bearer realm="local-plus"');
    assert.equal(await told(answer), '401 unauthenticated');
    assert.deepEqual(askedOutside, []);
  });
});

describe('a token passes', () => {
  const good: readonly (readonly [string, Promise<string>])[] = [
    ['signed by RS256', tokenOf(rsa)],
    ['signed by ES256', tokenOf(elliptic)],
    ['signed by EdDSA', tokenOf(edwards)],
    ['with a list as aud', tokenOf(rsa, { aud: ['other', identity.audience] })],
    ['of typ JWT', tokenOf(rsa, {}, { typ: 'JWT' })],
    ['of typ application/at+jwt', tokenOf(rsa, {}, { typ: 'application/at+jwt' })],
    ['whose times are a little ahead', tokenOf(rsa, { nbf: nowS + 60, iat: nowS + 60 })],
    ['without jti', tokenOf(rsa, { jti: undefined })],
  ];
  for (const [name, making] of good) {
    it(name, async () => {
      const { stage, asked } = await createTokenStage(published);
      const answer = await stage.ask(balance, { headers: bearer(await making) });
      assert.equal(await told(answer), '201');
      assert.equal(answer.headers.get('ratelimit-policy'), '"customer";q=300;w=60');
      const context = asked[0]?.headers['lp-context'] ?? '';
      assert.ok(context.endsWith(`;${merchantId};customer-1;wallets:read,transactions:write`), context);
    });
  }

  it('beside API keys, which stay what they were', async () => {
    const { stage, askedOutside } = await createTokenStage(published);
    assert.equal(await told(await stage.ask(balance, { headers: authorized })), '201');
    assert.deepEqual(askedOutside, []);
  });
});
