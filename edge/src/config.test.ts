import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConfig } from './config.ts';

const secret = Buffer.alloc(32, 7).toString('base64url');
const good = { ENVIRONMENT: 'local', ORIGIN_URL: 'http://127.0.0.1:7070', SIGNING_KEYS: `k2:${secret},k1:${secret}` };

function faults(bindings: Record<string, unknown>): string {
  const reading = parseConfig(bindings);
  return reading.ok ? 'ok' : reading.faults.join('; ');
}

describe('the configuration', () => {
  it('is read, the first key signs', () => {
    const reading = parseConfig(good);
    assert.ok(reading.ok);
    assert.equal(reading.config.originUrl, 'http://127.0.0.1:7070');
    assert.deepEqual(
      reading.config.signingKeys.map(({ keyId }) => keyId),
      ['k2', 'k1'],
    );
  });

  it('names every fault at once', () => {
    assert.match(faults({}), /ENVIRONMENT.*ORIGIN_URL.*SIGNING_KEYS/);
    assert.match(
      faults({ ENVIRONMENT: 'prod', ORIGIN_URL: 'x', SIGNING_KEYS: 'x' }),
      /ENVIRONMENT.*ORIGIN_URL.*SIGNING_KEYS/,
    );
  });

  it('never repeats a secret', () => {
    assert.ok(!faults({ ...good, SIGNING_KEYS: `k1:${secret}!` }).includes(secret));
  });

  const bad: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
    ['plain http outside', { ENVIRONMENT: 'production' }, /https/],
    ['a path', { ORIGIN_URL: 'http://core/api' }, /no path/],
    ['a query', { ORIGIN_URL: 'http://core/?a' }, /no path/],
    ['credentials', { ORIGIN_URL: 'http://a:b@core' }, /credentials/],
    ['another scheme', { ORIGIN_URL: 'ftp://core' }, /http/],
    ['a short key', { SIGNING_KEYS: 'k1:AAAA' }, /32 bytes/],
  ];
  for (const [name, change, expected] of bad) {
    it(`refuses ${name}`, () => assert.match(faults({ ...good, ...change }), expected));
  }
});

describe('whose tokens are believed', () => {
  const jwt = { JWT_ISSUER: 'https://id.example/', JWT_AUDIENCE: 'api', JWT_JWKS_URL: 'https://id.example/jwks' };
  const access = { ACCESS_TEAM_DOMAIN: 'team.cloudflareaccess.com', ACCESS_AUD: 'a1b2' };

  it('is nobody’s by default, and what is configured', () => {
    const nobody = parseConfig({ ...good, JWT_ISSUER: '', ACCESS_AUD: '' });
    assert.ok(nobody.ok);
    assert.deepEqual([nobody.config.tokens, nobody.config.access], [null, null]);
    const reading = parseConfig({ ...good, ...jwt, ...access });
    assert.ok(reading.ok);
    const [issuer, audience, jwksUrl] = [jwt.JWT_ISSUER, jwt.JWT_AUDIENCE, jwt.JWT_JWKS_URL];
    assert.deepEqual(reading.config.tokens, { issuer, audience, jwksUrl, tenantClaim: 'merchant_id' });
    assert.deepEqual(reading.config.access, {
      issuer: 'https://team.cloudflareaccess.com',
      audience: 'a1b2',
      jwksUrl: 'https://team.cloudflareaccess.com/cdn-cgi/access/certs',
    });
  });

  it('is a fault when half of a group is there, and all faults come at once', () => {
    assert.match(faults({ ...good, JWT_ISSUER: 'a' }), /JWT_AUDIENCE is missing.*JWT_JWKS_URL is missing/);
    assert.match(faults({ ...good, JWT_TENANT_CLAIM: 'tenant' }), /JWT_ISSUER is missing/);
    assert.match(
      faults({ ...good, ORIGIN_URL: 'x', JWT_ISSUER: 'a', ACCESS_AUD: 'a' }),
      /ORIGIN_URL.*JWT_AUDIENCE.*ACCESS_TEAM_DOMAIN/,
    );
  });

  const wrong: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
    ['an issuer with a space', { JWT_ISSUER: 'a b' }, /JWT_ISSUER/],
    ['a long audience', { JWT_AUDIENCE: 'a'.repeat(256) }, /JWT_AUDIENCE/],
    ['keys that are no URL', { JWT_JWKS_URL: 'jwks' }, /JWT_JWKS_URL/],
    ['keys in a file', { JWT_JWKS_URL: 'file:///jwks' }, /JWT_JWKS_URL/],
    ['credentials', { JWT_JWKS_URL: 'https://a:b@id.example/jwks' }, /credentials/],
    ['a claim that is taken', { JWT_TENANT_CLAIM: 'sub' }, /JWT_TENANT_CLAIM/],
    ['a team that is a URL', { ACCESS_TEAM_DOMAIN: 'https://team.example' }, /ACCESS_TEAM_DOMAIN/],
    ['a team with a path', { ACCESS_TEAM_DOMAIN: 'team.example/x' }, /ACCESS_TEAM_DOMAIN/],
  ];
  for (const [name, change, expected] of wrong) {
    it(`refuses ${name}`, () => assert.match(faults({ ...good, ...jwt, ...access, ...change }), expected));
  }

  it('refuses keys over plain http outside', () => {
    const plain = { ...good, ...jwt, JWT_JWKS_URL: 'http://id.example/jwks' };
    assert.equal(faults(plain), 'ok');
    assert.match(faults({ ...plain, ORIGIN_URL: 'https://core', ENVIRONMENT: 'dev' }), /JWT_JWKS_URL/);
  });
});
