/**
 * FAULTS 26 and 27 on the real workerd: each row is refused with its status and code, and the origin sees none of it.
 * Rows that `fetch` cannot express go through a raw socket.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { limits } from '@local-plus/contracts';
import { authorized, earn, earnPath, key, told, walletId } from './stage.ts';
import { eventually, type Stand, startStand } from './stand.ts';

const balance = `/v1/wallets/${walletId}/balance`;
let stand: Stand;
before(async () => {
  stand = await startStand();
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

describe('a body on workerd', () => {
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

describe('a request on workerd', () => {
  for (const [name, target, init, expected] of requests) {
    it(`${name}: ${expected}`, async () => {
      assert.equal(await told(await stand.ask(target, init)), expected);
      assert.deepEqual(stand.origin.believed, []);
    });
  }
});

const auth = `Host: edge\r\nAuthorization: Bearer ${key}\r\n`;
const post = `${auth}Content-Type: application/json\r\nIdempotency-Key: a\r\n`;
const small = '{"amount":5}';

/** Each row: bytes on the wire, what the first line says, and what the body says when the answer is the edge's own. */
const raw: readonly (readonly [string, string, number, string | null])[] = [
  ['..%2f', `GET /v1/catalog/..%2f..%2fadmin HTTP/1.1\r\n${auth}\r\n`, 400, 'invalid_path'],
  ['%61', `GET /v1/c%61talog HTTP/1.1\r\n${auth}\r\n`, 400, 'invalid_path'],
  ['//', `GET //v1/catalog HTTP/1.1\r\n${auth}\r\n`, 400, 'invalid_path'],
  [';x', `GET /v1/catalog;x HTTP/1.1\r\n${auth}\r\n`, 400, 'invalid_path'],
  ['a backslash', `GET /v1\\catalog HTTP/1.1\r\n${auth}\r\n`, 400, 'invalid_path'],
  ['raw UTF-8', `GET /v1/c\xc3\xa4talog HTTP/1.1\r\n${auth}\r\n`, 400, 'invalid_path'],
  ['a fragment', `GET /v1/catalog#a HTTP/1.1\r\n${auth}\r\n`, 400, 'invalid_path'],
  ['a quote in the query', `GET ${balance}?a=" HTTP/1.1\r\n${auth}\r\n`, 400, 'invalid_request'],
  ['a long target', `GET /v1/${'a'.repeat(9_000)} HTTP/1.1\r\n${auth}\r\n`, 414, 'uri_too_long'],
  ['a GET with a body', `GET ${balance} HTTP/1.1\r\n${auth}Content-Length: 2\r\n\r\n{}`, 400, 'invalid_request'],
  [
    'a GET with chunks',
    `GET ${balance} HTTP/1.1\r\n${auth}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    400,
    'invalid_request',
  ],
  [
    'CL + TE',
    `POST ${earnPath} HTTP/1.1\r\n${post}Content-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n${small}\r\n0\r\n\r\n`,
    400,
    'invalid_request',
  ],
  [
    'two Idempotency-Keys',
    `POST ${earnPath} HTTP/1.1\r\n${post}Idempotency-Key: b\r\nContent-Length: 12\r\n\r\n${small}`,
    400,
    'idempotency_key_invalid',
  ],
  [
    'two Authorizations',
    `GET ${balance} HTTP/1.1\r\n${auth}Authorization: Bearer ${key}\r\n\r\n`,
    401,
    'unauthenticated',
  ],
  [
    'a declared 1 TB',
    `POST ${earnPath} HTTP/1.1\r\n${post}Content-Length: 1000000000000\r\n\r\n${small}`,
    413,
    'payload_too_large',
  ],
  [
    'five megabytes',
    `POST ${earnPath} HTTP/1.1\r\n${post}Content-Length: 5000000\r\n\r\n${'a'.repeat(5_000_000)}`,
    413,
    'payload_too_large',
  ],
  [
    'five megabytes in chunks',
    `POST ${earnPath} HTTP/1.1\r\n${post}Transfer-Encoding: chunked\r\n\r\n${`1000\r\n${'a'.repeat(4_096)}\r\n`.repeat(1_200)}`,
    413,
    'payload_too_large',
  ],
  // workerd refuses these by itself, before the Worker; on Cloudflare its front does, with 400.
  [
    'two different lengths',
    `POST ${earnPath} HTTP/1.1\r\n${post}Content-Length: 12\r\nContent-Length: 13\r\n\r\n${small}`,
    500,
    null,
  ],
  [
    'two equal lengths',
    `POST ${earnPath} HTTP/1.1\r\n${post}Content-Length: 12\r\nContent-Length: 12\r\n\r\n${small}`,
    500,
    null,
  ],
  ['two Hosts', `GET ${balance} HTTP/1.1\r\n${auth}Host: other\r\n\r\n`, 500, null],
  [
    'an unknown coding',
    `POST ${earnPath} HTTP/1.1\r\n${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    500,
    null,
  ],
  ['an unknown method', `EARN ${earnPath} HTTP/1.1\r\n${post}\r\n`, 501, null],
  ['no Host', `GET ${balance} HTTP/1.1\r\nAuthorization: Bearer ${key}\r\n\r\n`, 400, null],
];

describe('bytes on workerd', () => {
  for (const [name, text, status, code] of raw) {
    it(`${name}: ${status} ${code ?? 'by workerd itself'}`, async () => {
      const answer = await stand.askRaw(Buffer.from(text, 'latin1'));
      assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
      if (code !== null) assert.ok(answer.includes(`"code":"${code}"`), answer);
      assert.deepEqual(stand.origin.believed, []);
    });
  }

  it('plain dot segments are resolved by workerd; what is resolved is what is routed and signed', async () => {
    const answer = await stand.askRaw(`GET /v1/x/../wallets/./${walletId}/balance HTTP/1.1\r\n${auth}\r\n`);
    assert.match(answer, /^HTTP\/1.1 201 /);
    assert.equal(stand.origin.believed[0]?.target, balance);
    assert.match(
      await stand.askRaw(`GET /v1/catalog/../../internal/keys/a HTTP/1.1\r\n${auth}\r\n`),
      /^HTTP\/1.1 404 /,
    );
  });

  it('a body that does not come in full reaches nobody', async () => {
    await stand.askRaw(`POST ${earnPath} HTTP/1.1\r\n${post}Content-Length: 50\r\n\r\n${small}`, true);
    await stand.askRaw(`POST ${earnPath} HTTP/1.1\r\n${post}Transfer-Encoding: chunked\r\n\r\nc\r\n${small}\r\n`, true);
    assert.deepEqual(stand.origin.believed, []);
    await eventually('the edge still works', async () => (await stand.ask(earnPath, earn())).status === 201);
  });

  it('a second request hidden in a body is no request', async () => {
    const hidden = `POST ${earnPath} HTTP/1.1\r\n${post}Content-Length: 12\r\n\r\n${small}`;
    await stand.askRaw(`GET ${balance} HTTP/1.1\r\n${auth}Content-Length: ${hidden.length}\r\n\r\n${hidden}`);
    await stand.askRaw(
      `GET ${balance} HTTP/1.1\r\n${auth}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    );
    assert.deepEqual(stand.origin.believed, []);
  });
});
