import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '@local-plus/contracts';
import fc from 'fast-check';
import { compileRule, type WafRequest } from './evaluate.ts';
import { RuleError } from './lexer.ts';
import { parseRule } from './parser.ts';
import { metBy, rules } from './rules.ts';

const host = 'api.local-plus.example';
const keyed = { authorization: 'Bearer lp_live_0123456789abcdef' };
/** The scheme is without case (RFC 9110 §11.1). */
const lowerKeyed = { authorization: keyed.authorization.replace('Bearer', 'bearer') };

function request(
  method: string,
  uri: string,
  more: WafRequest['fields'] = {},
  headers: Readonly<Record<string, string>> = {},
): WafRequest {
  const path = uri.split('?')[0] ?? uri;
  const human = { 'cf.bot_management.score': 90, 'cf.bot_management.verified_bot': false };
  return {
    fields: {
      'http.host': host,
      'http.request.method': method,
      'http.request.uri': uri,
      'http.request.uri.path': path,
      'ip.src': '192.0.2.1',
      'ip.src.country': 'DE',
      'ip.src.asnum': 64_500,
      ...human,
      ...more,
    },
    headers,
  };
}

const always = ['cloudflare-managed', 'owasp-core'];
const bot = { 'cf.bot_management.score': 10 };

/** Each row: a request, and which rules it meets beyond the managed ones. */
const table: readonly (readonly [string, WafRequest, readonly string[]])[] = [
  ['the catalog, by a person', request('GET', '/v1/catalog'), ['address-per-minute']],
  ['the catalog, by a bot', request('GET', '/v1/catalog', bot), ['bots', 'address-per-minute']],
  ['a score of 30', request('GET', '/v1/catalog', { 'cf.bot_management.score': 30 }), ['address-per-minute']],
  [
    'the catalog, by a verified bot',
    request('GET', '/v1/catalog', { ...bot, 'cf.bot_management.verified_bot': true }),
    ['address-per-minute'],
  ],
  ['an earn by a server with a key', request('POST', '/v1/wallets/1/earn', bot, keyed), []],
  ['a key whose scheme is in lower case', request('POST', '/v1/wallets/1/earn', bot, lowerKeyed), []],
  ['an earn without a key', request('POST', '/v1/wallets/1/earn', bot), ['bots', 'address-per-minute']],
  ['a preflight', request('OPTIONS', '/v1/wallets/1/earn'), []],
  ['a version that is none', request('GET', '/v2/wallets'), ['address-per-minute']],
  ['a probe by a machine', request('GET', '/healthz', bot), []],
  ['security.txt, by a machine', request('GET', '/.well-known/security.txt', bot), []],
  ['the contract', request('GET', '/openapi.json'), []],
  ['the contract, by a machine', request('GET', '/openapi.json', bot), []],
  ['a path that is none', request('GET', '/wp-login.php'), ['not-the-api']],
  ['the root', request('GET', '/'), ['not-the-api']],
  ['an internal path', request('GET', '/internal/keys/a'), ['not-the-api']],
  ['a DELETE', request('DELETE', '/v1/catalog'), ['methods', 'address-per-minute']],
  ['TRACE', request('TRACE', '/v1/catalog', {}, keyed), ['methods']],
  ['the longest target', request('GET', `/v1/${'a'.repeat(limits.targetBytesMax - 4)}`, {}, keyed), []],
  ['a longer one', request('GET', `/v1/${'a'.repeat(limits.targetBytesMax - 3)}`, {}, keyed), ['oversized-target']],
  ['a listed network', request('GET', '/v1/catalog', { 'ip.src.asnum': 64_496 }, keyed), ['networks']],
  ['a listed country', request('GET', '/v1/catalog', { 'ip.src.country': 'T1' }, keyed), ['countries']],
  ['nothing known of the caller', { fields: { 'http.host': host } }, ['methods', 'not-the-api']],
];

describe("the zone's rules", () => {
  for (const [name, asked, expected] of table) {
    it(`${name} meets ${expected.join(', ') || 'none'}`, () =>
      assert.deepEqual(metBy(asked), [...expected, ...always]));
  }

  it('leave other hosts alone', () => {
    assert.deepEqual(metBy(request('TRACE', '/', { ...bot, 'http.host': 'www.local-plus.example' })), []);
  });

  it('enable only what needs no filling in', () => {
    const off = [...rules.custom, ...rules.rate_limits].filter(({ enabled }) => !enabled).map(({ id }) => id);
    assert.deepEqual(off, ['networks', 'countries']);
  });

  it('count as the edge does', () => {
    assert.equal(rules.rate_limits[0]?.requests_per_period, limits.ipRequestsPerMinute);
    assert.equal(rules.rate_limits[0]?.period_s, 60);
  });
});

/** Each row: an expression, and whether {@link table}'s first request meets it. */
const meanings: readonly (readonly [string, boolean])[] = [
  ['http.request.method eq "GET"', true],
  ['http.request.method ne "GET"', false],
  ['http.request.method in {"PUT" "GET"}', true],
  ['not http.request.method eq "GET" or http.host contains "local"', true],
  ['not (http.request.method eq "GET" or http.host contains "local")', false],
  ['http.request.method eq "PUT" and http.host contains "x" or ip.src.country eq "DE"', true],
  ['ip.src.country eq "DE" or http.request.method eq "PUT" and http.host contains "x"', true],
  ['ip.src eq 192.0.2.1', true],
  ['ip.src in {198.51.100.0/24 192.0.2.0/24}', true],
  ['ip.src in {2001:db8::/32}', false],
  ['ip.geoip.country eq "DE" and ip.geoip.asnum eq 64500', true],
  ['ip.src.asnum ge 64500 and ip.src.asnum le 64500', true],
  ['ip.src.asnum gt 64500 or ip.src.asnum lt 64500', false],
  ['cf.bot_management.verified_bot', false],
  ['len(http.request.uri.path) eq 11', true],
  ['starts_with(lower(http.host), "api.")', true],
  ['http.request.uri.path matches "^/v[0-9]+/c"', true],
  ['http.request.headers["authorization"][0] eq ""', false],
  ['not starts_with(http.request.headers["authorization"][0], "Bearer")', true],
];

describe('an expression', () => {
  for (const [expression, expected] of meanings) {
    it(`${expression}: ${expected}`, () => {
      assert.equal(compileRule(expression)(request('GET', '/v1/catalog')), expected);
    });
  }

  const refused: readonly (readonly [string, number])[] = [
    ['', 0],
    ['http.cookie eq "a"', 0],
    ['constructor eq "a"', 0],
    ['http.host', 9],
    ['http.host eq', 12],
    ['http.host eq 5', 13],
    ['http.host lt "a"', 10],
    ['http.host = "a"', 10],
    ['ip.src.asnum eq "5"', 16],
    ['ip.src eq 192.0.2.0/24', 10],
    ['ip.src eq 192.0.2.300', 10],
    ['ip.src in {192.0.2.0/33}', 11],
    ['http.host in {}', 14],
    ['http.host in {"a" 5}', 18],
    ['http.host in {"a"', 17],
    ['http.host eq "a', 13],
    ['(http.host eq "a"', 17],
    ['http.host eq "a")', 16],
    ['http.host eq "a" http.host eq "b"', 17],
    ['http.host matches "("', 18],
    ['len(ip.src.asnum) eq 5', 0],
    ['starts_with(ip.src, "1")', 12],
    ['ends_with(http.host, "a")', 0],
    ['http.request.headers["A"][0] eq "a"', 21],
    ['http.request.headers["a"][1] eq "a"', 26],
    ['not not not', 11],
  ];
  for (const [expression, at] of refused) {
    it(`is refused at ${at}: ${expression}`, () => {
      assert.throws(
        () => parseRule(expression),
        (error) => error instanceof RuleError && error.at === at,
      );
    });
  }

  const words = ['(', ')', '{', '}', '[', ']', ',', 'not', 'and', 'or', 'in', 'eq', 'len', 'starts_with', '"a"', '5'];
  const pieces = fc.constantFrom(...words, '1.2.3.4', '::1', 'http.host', 'ip.src', 'ip.src.asnum', '"', '\\');
  const garbage = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(pieces, { maxLength: 300 }).map((list) => list.join(' ')),
    fc.nat(5_000).map((count) => '('.repeat(count)),
    fc.nat(1_000).map((count) => 'not '.repeat(count)),
    fc.nat(1_000).map((count) => `${'len('.repeat(count)}http.host`),
  );

  it('of garbage is refused inside of it, and nothing else happens', () => {
    fc.assert(
      fc.property(garbage, (expression) => {
        try {
          compileRule(expression)(request('GET', '/'));
        } catch (error) {
          assert.ok(error instanceof RuleError, String(error));
          assert.ok(error.at >= 0 && error.at <= expression.length);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
