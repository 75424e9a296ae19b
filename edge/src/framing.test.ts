import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits, wallets } from '@local-plus/contracts';
import type { Exchange } from './exchange.ts';
import { framing } from './framing.ts';

const post = framing({ method: 'POST', body: wallets.post });
const lines = framing({ method: 'POST', body: wallets.post, format: 'ndjson' });
const bare = framing({ method: 'POST', body: null });
const get = framing({ method: 'GET', body: null });

/** Headers as a runtime hands them on; `Request` itself would refuse to hold some of them. */
function told(step: typeof post, headers: Record<string, string>, body: unknown = null): string {
  const exchange = { request: { body }, headers: new Headers(headers), requestId: 'r' } as unknown as Exchange;
  const answer = step(exchange);
  if (answer === undefined) return 'ok';
  if (answer instanceof Promise) throw new Error('framing looks at headers only');
  return `${answer.status} ${(JSON.parse(answer.body as string) as { code: string }).code}`;
}

const type = 'content-type';
const cases: readonly (readonly [string, typeof post, Record<string, string>, unknown, string])[] = [
  ['a POST', post, { [type]: 'application/json', 'content-length': '5' }, {}, 'ok'],
  ['a POST in chunks', post, { [type]: 'application/json', 'transfer-encoding': 'chunked' }, {}, 'ok'],
  ['a charset', post, { [type]: 'application/json; charset=utf-8' }, {}, 'ok'],
  ['a quoted charset', post, { [type]: 'Application/JSON;charset="UTF-8"' }, {}, 'ok'],
  ['another charset', post, { [type]: 'application/json; charset=latin1' }, {}, '415 unsupported_media_type'],
  ['no type', post, {}, {}, '415 unsupported_media_type'],
  ['two types', post, { [type]: 'application/json, application/json' }, {}, '415 unsupported_media_type'],
  ['another type', post, { [type]: 'text/plain' }, {}, '415 unsupported_media_type'],
  ['a longer type', post, { [type]: 'application/json-patch' }, {}, '415 unsupported_media_type'],
  ['lines', lines, { [type]: 'application/x-ndjson; charset=utf-8' }, {}, 'ok'],
  ['lines that are not said to be', lines, { [type]: 'application/json' }, {}, '415 unsupported_media_type'],
  ['the most lines', lines, { [type]: 'application/x-ndjson', 'content-length': `${limits.bulkBytesMax}` }, {}, 'ok'],
  [
    'lines that are too large',
    lines,
    { [type]: 'application/x-ndjson', 'content-length': `${limits.bulkBytesMax + 1}` },
    {},
    '413 payload_too_large',
  ],
  ['the largest', post, { [type]: 'application/json', 'content-length': `${limits.bodyBytesMax}` }, {}, 'ok'],
  [
    'one too large',
    post,
    { [type]: 'application/json', 'content-length': `${limits.bodyBytesMax + 1}` },
    {},
    '413 payload_too_large',
  ],
  [
    'length and coding',
    post,
    { [type]: 'application/json', 'content-length': '5', 'transfer-encoding': 'chunked' },
    {},
    '400 invalid_request',
  ],
  ['two lengths', post, { [type]: 'application/json', 'content-length': '5, 5' }, {}, '400 invalid_request'],
  ['a negative length', post, { 'content-length': '-1' }, {}, '400 invalid_request'],
  ['a hexadecimal length', post, { 'content-length': '0x5' }, {}, '400 invalid_request'],
  ['a bodyless POST', bare, {}, null, 'ok'],
  ['a bodyless POST of length 0', bare, { 'content-length': '0' }, {}, 'ok'],
  ['a GET', get, {}, null, 'ok'],
  ['a GET of length 0', get, { 'content-length': '0' }, {}, 'ok'],
  ['a GET of length 1', get, { 'content-length': '1' }, {}, '400 invalid_request'],
  ['a GET in chunks', get, { 'transfer-encoding': 'chunked' }, {}, '400 invalid_request'],
  ['a GET with a stream and no length (HTTP/2)', get, {}, {}, '400 invalid_request'],
];

describe('framing', () => {
  for (const [name, step, headers, body, expected] of cases) {
    it(`${name}: ${expected}`, () => assert.equal(told(step, headers, body), expected));
  }
});
