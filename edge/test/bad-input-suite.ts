/**
 * Bad input on a real runtime: each row is refused with its status and code, and the origin sees none
 * of it. Bytes that `fetch` cannot send are in raw-suite.ts.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { limits } from '@local-plus/contracts';
import type { Runtime } from './runtimes.ts';
import { authorized, earn, earnPath, key, told, walletId } from './stage.ts';
import { type Stand, startStand } from './stand.ts';

const balance = `/v1/wallets/${walletId}/balance`;
export function badInputSuite(runtime: Runtime): void {
  describe(`bad input on ${runtime}`, () => {
    let stand: Stand;
    before(async () => {
      stand = await startStand({ runtime });
      assert.equal((await stand.ask(earnPath, earn())).status, 201);
    });
    beforeEach(() => {
      stand.origin.believed.length = 0;
    });
    after(() => stand.stop());

    const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'));
    const deep = (levels: number) => `{"amount":${'['.repeat(levels)}${']'.repeat(levels)}}`;

    const bodies: readonly (readonly [string, string | Uint8Array<ArrayBuffer>, string])[] = [
      ['nothing', '', '400 invalid_json'],
      ['a truncated body', '{"amount":5', '400 invalid_json'],
      ['malformed JSON', "{'amount':5}", '400 invalid_json'],
      ['two documents', '{"amount":5}{"amount":5}', '400 invalid_json'],
      ['a byte order mark', '\ufeff{"amount":5}', '400 invalid_json'],
      ['a duplicate member', '{"amount":5,"amount":6}', '400 invalid_json'],
      ['a duplicate member by escape', '{"amount":5,"\\u0061mount":6}', '400 invalid_json'],
      ['deep JSON', deep(limits.jsonDepthMax), '400 invalid_json'],
      ['very deep JSON', deep(8_000), '400 invalid_json'],
      ['__proto__', '{"amount":5,"__proto__":{"admin":true}}', '400 invalid_json'],
      ['invalid UTF-8', bytes('{"amount":5,"reference":"\xff"}'), '400 invalid_json'],
      ['overlong UTF-8', bytes('{"amount":5,"reference":"\xc0\xaf"}'), '400 invalid_json'],
      ['a lone surrogate', '{"amount":5,"reference":"\\ud800"}', '400 invalid_json'],
      ['NUL by escape', '{"amount":5,"reference":"\\u0000"}', '400 invalid_json'],
      ['NUL', '{"amount":5,"reference":"\0"}', '400 invalid_json'],
      ['2^53 + 1', '{"amount":9007199254740993}', '400 invalid_json'],
      ['1e400', '{"amount":1e400}', '400 invalid_json'],
      ['−0', '{"amount":-0}', '400 invalid_json'],
      ['NaN', '{"amount":NaN}', '400 invalid_json'],
      ['amount 0', '{"amount":0}', '400 invalid_request'],
      ['amount −1', '{"amount":-1}', '400 invalid_request'],
      ['amount 1.5', '{"amount":1.5}', '400 invalid_request'],
      ['amount "5"', '{"amount":"5"}', '400 invalid_request'],
      ['amount null', '{"amount":null}', '400 invalid_request'],
      ['amount 10^12 + 1', '{"amount":1000000000001}', '400 invalid_request'],
      ['no amount', '{}', '400 invalid_request'],
      ['an array', '[5]', '400 invalid_request'],
      ['an unknown member', '{"amount":5,"currency":"EUR"}', '400 invalid_request'],
      ['a member of Object.prototype', '{"amount":5,"constructor":1}', '400 invalid_request'],
      ['a control character', '{"amount":5,"reference":"a\\u0007"}', '400 invalid_request'],
      ['nested metadata', '{"amount":5,"metadata":{"a":{"b":1}}}', '400 invalid_request'],
      ['an oversized body', `{"amount":5,"reference":"${'a'.repeat(limits.bodyBytesMax)}"}`, '413 payload_too_large'],
    ];

    describe(`a body on ${runtime}`, () => {
      for (const [name, body, expected] of bodies) {
        it(`${name}: ${expected}`, async () => {
          assert.equal(await told(await stand.ask(earnPath, earn(body))), expected);
          assert.deepEqual(stand.origin.believed, []);
        });
      }

      it('of the largest size passes', async () => {
        const body = '{"amount":5}'.padEnd(limits.bodyBytesMax, ' ');
        assert.equal((await stand.ask(earnPath, earn(body))).status, 201);
        assert.equal(stand.origin.believed[0]?.body, body);
      });
    });

    const requests: readonly (readonly [string, string, RequestInit, string])[] = [
      [
        'a wrong media type',
        earnPath,
        earn('{"amount":5}', { 'content-type': 'text/plain' }),
        '415 unsupported_media_type',
      ],
      [
        'a form',
        earnPath,
        earn('amount=5', { 'content-type': 'application/x-www-form-urlencoded' }),
        '415 unsupported_media_type',
      ],
      ['no Idempotency-Key', earnPath, earn('{"amount":5}', { 'idempotency-key': '' }), '400 idempotency_key_missing'],
      [
        'a long Idempotency-Key',
        earnPath,
        earn('{"amount":5}', { 'idempotency-key': 'a'.repeat(256) }),
        '400 idempotency_key_invalid',
      ],
      [
        'an Idempotency-Key with a space',
        earnPath,
        earn('{"amount":5}', { 'idempotency-key': 'a b' }),
        '400 idempotency_key_invalid',
      ],
      ['no API key', earnPath, earn('{"amount":5}', { authorization: '' }), '401 unauthenticated'],
      ['a wrong API key', earnPath, earn('{"amount":5}', { authorization: `Bearer ${key}x` }), '401 unauthenticated'],
      ['a scope that is lacking', '/v1/programs', earn('{"name":"a","unit":"PTS"}'), '403 forbidden'],
      ['an admin route', '/v1/merchants', earn('{"name":"a"}'), '403 forbidden'],
      ['a wallet id that is none', '/v1/wallets/1/earn', earn(), '404 not_found'],
      ['a path that is none', '/v2/wallets', { headers: authorized }, '404 not_found'],
      ['an internal path', `/internal/keys/${'0'.repeat(64)}`, { headers: authorized }, '404 not_found'],
      ['a wrong method', earnPath, { method: 'DELETE', headers: authorized }, '405 method_not_allowed'],
      ['a GET on a POST', earnPath, { headers: authorized }, '405 method_not_allowed'],
      ['a preflight', earnPath, { method: 'OPTIONS' }, '405 method_not_allowed'],
      ['an unknown parameter', `${balance}?x=1`, { headers: authorized }, '400 invalid_request'],
      ['a parameter __proto__', `${balance}?__proto__=x`, { headers: authorized }, '400 invalid_request'],
      [
        'a parameter twice',
        `${balance}?as_of=2026-01-01T00:00:00Z&as_of=2026-01-01T00:00:00Z`,
        { headers: authorized },
        '400 invalid_request',
      ],
      [
        'a cursor that is none',
        `/v1/wallets/${walletId}/transactions?cursor=%00`,
        { headers: authorized },
        '400 invalid_request',
      ],
    ];

    describe(`a request on ${runtime}`, () => {
      for (const [name, target, init, expected] of requests) {
        it(`${name}: ${expected}`, async () => {
          assert.equal(await told(await stand.ask(target, init)), expected);
          assert.deepEqual(stand.origin.believed, []);
        });
      }
    });
  });
}
