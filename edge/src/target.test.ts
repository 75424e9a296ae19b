import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '@local-plus/contracts';
import type { Exchange } from './exchange.ts';
import { readTarget } from './target.ts';

/** Platforms differ in what they let through in `Request.url`; the step must not depend on them. */
function exchangeWith(url: string): Exchange {
  return { request: { url }, info: {}, target: '', path: '', query: '', requestId: 'r' } as unknown as Exchange;
}

function told(url: string): string {
  const answer = readTarget(exchangeWith(url));
  return answer ? `${answer.status} ${(JSON.parse(answer.body as string) as { code: string }).code}` : 'ok';
}

const cases: readonly (readonly [string, string])[] = [
  ['/', 'ok'],
  ['/v1/wallets', 'ok'],
  ['/v1/wallets/', 'ok'],
  ['/v1/a-b_c.d~e', 'ok'],
  ['/v1/..a/b..', 'ok'],
  ['/v1/catalog?limit=5&cursor=a%2Fb', 'ok'],
  ['//v1/wallets', '400 invalid_path'],
  ['/v1//wallets', '400 invalid_path'],
  ['/v1/wallets//', '400 invalid_path'],
  ['/v1/./wallets', '400 invalid_path'],
  ['/v1/../wallets', '400 invalid_path'],
  ['/v1/..', '400 invalid_path'],
  ['/v1/.', '400 invalid_path'],
  ['/v1/%77allets', '400 invalid_path'],
  ['/v1/..%2fwallets', '400 invalid_path'],
  ['/v1/%', '400 invalid_path'],
  ['/v1/wallets;a=1', '400 invalid_path'],
  ['/v1\\wallets', '400 invalid_path'],
  ['/v1/é', '400 invalid_path'],
  ['/v1/a b', '400 invalid_path'],
  ['/v1/wallets#a', '400 invalid_path'],
  ['/v1/catalog?a="b"', '400 invalid_request'],
  ['/v1/catalog?a=%2', '400 invalid_request'],
  ["/v1/catalog?a='", '400 invalid_request'],
  ['/v1/catalog?a=1#b', '400 invalid_request'],
  [`/v1/${'a'.repeat(limits.targetBytesMax - 4)}`, 'ok'],
  [`/v1/${'a'.repeat(limits.targetBytesMax - 3)}`, '414 uri_too_long'],
];

describe('the target', () => {
  for (const [target, expected] of cases) {
    it(`${target.slice(0, 40)}: ${expected}`, () => assert.equal(told(`https://edge.test${target}`), expected));
  }

  it('is split into path and query, and kept as it was', () => {
    const exchange = exchangeWith('http://e/v1/catalog?limit=5&cursor=a%2Fb?c');
    assert.equal(readTarget(exchange), undefined);
    const { target, path, query } = exchange;
    assert.deepEqual(
      [target, path, query],
      ['/v1/catalog?limit=5&cursor=a%2Fb?c', '/v1/catalog', 'limit=5&cursor=a%2Fb?c'],
    );
  });

  it('has no bare question mark: origins disagree on what that is', () => {
    const exchange = exchangeWith('http://e/v1/catalog?');
    readTarget(exchange);
    assert.equal(exchange.target, '/v1/catalog');
  });

  it('is / when the URL ends at its authority', () => {
    const exchange = exchangeWith('http://e');
    assert.equal(readTarget(exchange), undefined);
    assert.equal(exchange.path, '/');
  });

  it('is sent by fetch as it is, whatever passes', () => {
    const target = "/v1/a~!$&'()*+,=:@-._/b?c=d~!$&()*+,;=:@/?-%27%22._";
    assert.equal(told(`http://e${target}`), 'ok');
    assert.equal(new URL(`http://e${target}`).href, `http://e${target}`);
  });
});
