/**
 * Bytes on a socket that `fetch` cannot send, against a real runtime: two readers could understand them differently, or
 * they cost more than they should. Each is refused or its connection closed, and the origin sees none of it.
 *
 * Where the runtime answers by itself, before the edge is asked, a status without a code stands in its column (workerd's
 * plain 500 for two lengths; on Cloudflare its front answers those, with 400). A 201 is a parser's tolerance: the bytes
 * mean one thing only to it, and exactly that is what was authenticated, signed and sent.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Runtime } from './runtimes.ts';
import { earn, earnPath, key, walletId } from './stage.ts';
import { eventually, type Stand, startStand } from './stand.ts';

const balance = `/v1/wallets/${walletId}/balance`;
const auth = `Host: edge\r\nAuthorization: Bearer ${key}\r\n`;
const post = `${auth}Content-Type: application/json\r\nIdempotency-Key: a\r\n`;
const small = '{"amount":5}';

/** Status and code of an answer of ours, the status alone when the runtime answered by itself, or `closed`. */
type Outcome = string;

const get = (target: string, headers = auth) => `GET ${target} HTTP/1.1\r\n${headers}\r\n`;
const send = (headers: string, body: string) => `POST ${earnPath} HTTP/1.1\r\n${post}${headers}\r\n${body}`;
const chunked = 'Transfer-Encoding: chunked\r\n';
const pieces = (count: number) => `1000\r\n${'a'.repeat(4_096)}\r\n`.repeat(count);

const each = (workerd: Outcome, deno: Outcome, node: Outcome) => ({ workerd, deno, node });

/** Each row: bytes on the wire, and what comes of it; one outcome where all runtimes agree. */
const rows: readonly (readonly [string, string, Outcome | Readonly<Record<Runtime, Outcome>>])[] = [
  ['..%2f', get('/v1/catalog/..%2f..%2fadmin'), '400 invalid_path'],
  ['%2e%2e', get('/v1/%2e%2e/internal'), '400 invalid_path'],
  ['..', get('/v1/catalog/../../internal/keys/a'), each('404 not_found', '400 invalid_path', '400 invalid_path')],
  ['%61', get('/v1/c%61talog'), '400 invalid_path'],
  ['//', get('//v1/catalog'), '400 invalid_path'],
  [';x', get('/v1/catalog;x'), '400 invalid_path'],
  ['a backslash', get('/v1\\catalog'), '400 invalid_path'],
  ['raw UTF-8', get('/v1/c\xc3\xa4talog'), each('400 invalid_path', '400 invalid_path', '400 invalid_request')],
  ['a fragment', get('/v1/catalog#a'), '400 invalid_path'],
  ['a quote in the query', get(`${balance}?a="`), '400 invalid_request'],
  ['another authority', get(`http://other${balance}`), each('500', '201', '400 invalid_path')],
  ['an asterisk', `OPTIONS * HTTP/1.1\r\n${auth}\r\n`, each('500', '404 not_found', '400 invalid_path')],
  ['CONNECT', `CONNECT other:443 HTTP/1.1\r\n${auth}\r\n`, each('500', '404 not_found', 'closed')],
  ['TRACE', `TRACE ${balance} HTTP/1.1\r\n${auth}\r\n`, '405 method_not_allowed'],
  ['a space in the target', get(`${balance} /x`), each('201', '400', '400 invalid_request')],
  ['a long target', get(`/v1/${'a'.repeat(9_000)}`), '414 uri_too_long'],
  ['huge headers', get(balance, `${auth}X: ${'a'.repeat(1_000_000)}\r\n`), each('431', '400', '431 headers_too_large')],
  ['many headers', get(balance, `${auth}${'X: a\r\n'.repeat(200_000)}`), each('431', '400', '431 headers_too_large')],
  ['a folded header', get(balance, `${auth}X: a\r\n b\r\n`), each('201', '400', '400 invalid_request')],
  [
    'a space before the colon',
    get(balance, `${auth}Content-Length : 0\r\n`),
    each('201', '400', '400 invalid_request'),
  ],
  ['a NUL in a header', get(balance, `${auth}X: a\0b\r\n`), each('400', '400', '400 invalid_request')],
  ['a GET with a body', `GET ${balance} HTTP/1.1\r\n${auth}Content-Length: 2\r\n\r\n{}`, '400 invalid_request'],
  ['a GET with chunks', `GET ${balance} HTTP/1.1\r\n${auth}${chunked}\r\n2\r\n{}\r\n0\r\n\r\n`, '400 invalid_request'],
  [
    'CL + TE',
    send(`Content-Length: 12\r\n${chunked}`, `c\r\n${small}\r\n0\r\n\r\n`),
    each('400 invalid_request', '400', '400 invalid_request'),
  ],
  [
    'two different lengths',
    send('Content-Length: 12\r\nContent-Length: 13\r\n', small),
    each('500', '400', '400 invalid_request'),
  ],
  [
    'two equal lengths',
    send('Content-Length: 12\r\nContent-Length: 12\r\n', small),
    each('500', '400 invalid_request', '400 invalid_request'),
  ],
  ['a list of lengths', send('Content-Length: 12, 12\r\n', small), each('500', '400', '400 invalid_request')],
  ['a signed length', send('Content-Length: +12\r\n', small), each('500', '400', '400 invalid_request')],
  [
    'an unknown coding',
    send('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'),
    each('500', '400 invalid_request', '400 invalid_request'),
  ],
  [
    'chunks that are none',
    send(chunked, `zz\r\n${small}\r\n0\r\n\r\n`),
    each('400 invalid_request', 'closed', '400 invalid_request'),
  ],
  ['a declared 1 TB', send('Content-Length: 1000000000000\r\n', small), '413 payload_too_large'],
  ['five megabytes', send('Content-Length: 5000000\r\n', 'a'.repeat(5_000_000)), '413 payload_too_large'],
  ['five megabytes in chunks', send(chunked, pieces(1_200)), '413 payload_too_large'],
  ['two Hosts', get(balance, `${auth}Host: other\r\n`), each('500', '400', '400 invalid_request')],
  ['an unknown expectation', get(balance, `${auth}Expect: a-miracle\r\n`), each('201', '201', '400 invalid_request')],
  ['no Host', get(balance, `Authorization: Bearer ${key}\r\n`), each('400', '201', '400 invalid_request')],
  ['two Idempotency-Keys', send('Idempotency-Key: b\r\nContent-Length: 12\r\n', small), '400 idempotency_key_invalid'],
  ['two Authorizations', get(balance, `${auth}Authorization: Bearer ${key}\r\n`), '401 unauthenticated'],
  [
    'an unknown method',
    `EARN ${earnPath} HTTP/1.1\r\n${post}\r\n`,
    each('501', '405 method_not_allowed', '400 invalid_request'),
  ],
  ['HTTP/0.9', `GET ${balance}\r\n\r\n`, each('400', '400', '400 invalid_request')],
  ['HTTP/2 without asking', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', each('501', 'no HTTP/1', '400 invalid_request')],
  ['no HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', each('closed', '400', '400 invalid_request')],
];

function outcomeOf(answer: string): Outcome {
  if (answer === '') return 'closed';
  if (!answer.startsWith('HTTP/1.')) return 'no HTTP/1';
  const status = /^HTTP\/1\.[01] (\d{3}) /.exec(answer)?.[1] ?? answer.slice(0, 20);
  const code = /"code":"(\w+)"/.exec(answer)?.[1];
  return code === undefined ? status : `${status} ${code}`;
}

export function rawSuite(runtime: Runtime): void {
  describe(`bytes on ${runtime}`, () => {
    let stand: Stand;
    before(async () => {
      stand = await startStand({ runtime });
      assert.equal((await stand.ask(earnPath, earn())).status, 201);
    });
    beforeEach(() => {
      stand.origin.believed.length = 0;
    });
    after(() => stand.stop());

    for (const [name, text, expected] of rows) {
      const outcome = typeof expected === 'string' ? expected : expected[runtime];
      it(`${name}: ${outcome}`, async () => {
        assert.equal(outcomeOf(await stand.askRaw(Buffer.from(text, 'latin1'))), outcome);
        const reached = stand.origin.believed.map(({ target }) => target);
        assert.deepEqual(reached, outcome === '201' ? [balance] : []);
      });
    }

    it('a body that does not come in full reaches nobody', async () => {
      await stand.askRaw(send('Content-Length: 50\r\n', small), true);
      await stand.askRaw(send(chunked, `c\r\n${small}\r\n`), true);
      assert.deepEqual(stand.origin.believed, []);
      await eventually('the edge still works', async () => (await stand.ask(earnPath, earn())).status === 201);
    });

    it('a body ends where its Content-Length says: what follows is the next request', async () => {
      await stand.askRaw(`${send('Content-Length: 12\r\n', small)}${get(balance)}`, false, 2);
      const reached = (): string[] => stand.origin.believed.map(({ target }) => target);
      await eventually('both reach the origin', async () => reached().length === 2);
      assert.deepEqual(reached(), [earnPath, balance]);
      assert.equal(stand.origin.believed[0]?.body, small);
    });

    it('a body that stops coming is told 408, and reaches nobody', async () => {
      assert.equal(outcomeOf(await stand.askRaw(send('Content-Length: 50\r\n', small))), '408 request_timeout');
      assert.deepEqual(stand.origin.believed, []);
      assert.equal((await stand.ask(earnPath, earn())).status, 201);
    });

    it('a second request hidden in a body is no request', async () => {
      const hidden = send('Content-Length: 12\r\n', small);
      await stand.askRaw(`GET ${balance} HTTP/1.1\r\n${auth}Content-Length: ${hidden.length}\r\n\r\n${hidden}`);
      await stand.askRaw(`GET ${balance} HTTP/1.1\r\n${auth}Content-Length: 0\r\n${chunked}\r\n0\r\n\r\n`);
      assert.deepEqual(stand.origin.believed, []);
    });
  });
}
