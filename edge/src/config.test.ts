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
