import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePort, parseProcessConfig } from './process-config.ts';
import { parseSurface, plainSurface } from './surface-config.ts';

function faultsOf(bindings: Record<string, string>, isLocal = false): string {
  const faults: string[] = [];
  parseSurface(bindings, isLocal, faults);
  return faults.join('; ');
}

describe('the configuration of the surface', () => {
  it('is plain when nothing is said', () => {
    const faults: string[] = [];
    assert.deepEqual(parseSurface({}, false, faults), plainSurface);
    assert.deepEqual(faults, []);
  });

  it('is read', () => {
    const faults: string[] = [];
    const surface = parseSurface(
      {
        CORS_ORIGINS: 'https://shop.example, https://app.example:8443',
        CORS_MERCHANTS: 'on',
        BOT_SCORE_MIN: '30',
        BLOCKED_ASNS: '64496, 64511',
        BLOCKED_COUNTRIES: 'T1',
        SECURITY_CONTACT: 'mailto:security@local-plus.example,https://local-plus.example/report',
        SECURITY_POLICY: 'https://local-plus.example/policy',
        PUBLIC_URL: 'https://api.local-plus.example',
        LOG_SAMPLE_RATE: '0.25',
      },
      false,
      faults,
    );
    assert.deepEqual(faults, []);
    assert.deepEqual(surface.corsOrigins, ['https://shop.example', 'https://app.example:8443']);
    assert.equal(surface.merchantOrigins, true);
    assert.deepEqual([surface.bots.scoreMin, [...surface.bots.blockedAsns]], [30, [64_496, 64_511]]);
    assert.equal(surface.securityTxt?.contacts.length, 2);
    assert.equal(surface.logSampleRate, 0.25);
  });

  const bad: readonly (readonly [string, Record<string, string>, RegExp])[] = [
    ['a wildcard', { CORS_ORIGINS: '*' }, /CORS_ORIGINS/],
    ['a switch of another kind', { CORS_MERCHANTS: 'true' }, /CORS_MERCHANTS is neither on nor off/],
    ['any origin at all', { CORS_ORIGINS: 'null' }, /CORS_ORIGINS/],
    ['an origin with a path', { CORS_ORIGINS: 'https://shop.example/' }, /CORS_ORIGINS/],
    ['an origin in capitals', { CORS_ORIGINS: 'https://Shop.example' }, /CORS_ORIGINS/],
    ['a default port', { CORS_ORIGINS: 'https://shop.example:443' }, /CORS_ORIGINS/],
    ['plain http', { CORS_ORIGINS: 'http://shop.example' }, /CORS_ORIGINS/],
    ['an empty origin', { CORS_ORIGINS: 'https://a.example,' }, /CORS_ORIGINS/],
    ['too many origins', { CORS_ORIGINS: Array(101).fill('https://a.example').join() }, /more than 100/],
    ['a score of 0', { BOT_SCORE_MIN: '0' }, /BOT_SCORE_MIN/],
    ['a score of 100', { BOT_SCORE_MIN: '100' }, /BOT_SCORE_MIN/],
    ['a network by name', { BLOCKED_ASNS: 'AS64496' }, /BLOCKED_ASNS/],
    ['a country by name', { BLOCKED_COUNTRIES: 'Germany' }, /BLOCKED_COUNTRIES/],
    ['a contact that is none', { SECURITY_CONTACT: 'security@local-plus.example' }, /SECURITY_CONTACT/],
    ['a contact of two lines', { SECURITY_CONTACT: 'https://a.example/\nExpires: never' }, /SECURITY_CONTACT/],
    ['languages of two lines', { SECURITY_LANGUAGES: 'en\nContact: x' }, /SECURITY_LANGUAGES/],
    ['a policy by http', { SECURITY_POLICY: 'http://a.example' }, /SECURITY_POLICY/],
    ['a public URL with a path', { PUBLIC_URL: 'https://a.example/v1' }, /PUBLIC_URL/],
    ['a rate over 1', { LOG_SAMPLE_RATE: '1.5' }, /LOG_SAMPLE_RATE/],
    ['a rate that is none', { LOG_SAMPLE_RATE: 'some' }, /LOG_SAMPLE_RATE/],
  ];
  for (const [name, bindings, expected] of bad) {
    it(`refuses ${name}`, () => assert.match(faultsOf(bindings), expected));
  }

  it('names every fault at once', () => {
    assert.match(faultsOf({ CORS_ORIGINS: '*', BOT_SCORE_MIN: 'x', LOG_SAMPLE_RATE: '2' }), /CORS.*BOT.*LOG/);
  });

  it('takes plain http locally', () => assert.equal(faultsOf({ CORS_ORIGINS: 'http://127.0.0.1:3000' }, true), ''));
});

describe('the configuration of a process', () => {
  it('refuses what is no header and no port', () => {
    const faults: string[] = [];
    parseProcessConfig({ CLIENT_ADDRESS_HEADER: 'a b', METRICS_PORT: '65536' }, faults);
    assert.match(faults.join('; '), /CLIENT_ADDRESS_HEADER.*METRICS_PORT/);
    assert.equal(parsePort('PORT', '80a', faults), null);
  });

  it('is plain when nothing is said', () => {
    assert.deepEqual(parseProcessConfig({}, []), { clientAddressHeader: null, metricsPort: null });
  });
});
