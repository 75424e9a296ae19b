/** Bulk on a real runtime: lines in, lines out, as they come; and what is refused before core is asked. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { limits } from '@local-plus/contracts';
import type { Runtime } from './runtimes.ts';
import { earn, told } from './stage.ts';
import { eventually, type Stand, startStand } from './stand.ts';

const target = '/v1/transactions/bulk';
const ndjson = { 'content-type': 'application/x-ndjson' };
const type = { ...ndjson, 'idempotency-key': '' };
const lines = '{"a":1}\n{"b":"ä"}\r\n';
export function bulkSuite(runtime: Runtime): void {
  describe(`bulk on ${runtime}`, () => {
    let stand: Stand;
    before(async () => {
      stand = await startStand({ runtime });
    });
    after(() => stand.stop());

    describe(`bulk on ${runtime}`, () => {
      it('reaches the origin signed, as it came, and its answer comes back line by line', async () => {
        const gate = Promise.withResolvers<void>();
        stand.origin.reply = () => ({
          status: 200,
          headers: ndjson,
          body: (async function* () {
            yield '{"index":0}\n';
            await gate.promise;
            yield '{"index":1}\n';
          })(),
        });
        const answer = await stand.ask(target, earn(lines, type));
        assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'application/x-ndjson']);
        const asked = stand.origin.believed.at(-1);
        assert.deepEqual(
          [asked?.target, asked?.body, asked?.headers['content-type']],
          [target, lines, ndjson['content-type']],
        );
        assert.equal(asked?.context.budgetMs !== undefined && asked.context.budgetMs > limits.requestBudgetMs, true);
        const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
        assert.equal((await reader?.read())?.value, '{"index":0}\n');
        gate.resolve();
        assert.equal((await reader?.read())?.value, '{"index":1}\n');
        assert.equal((await reader?.read())?.done, true);
      });

      it('takes the largest body there may be', async () => {
        stand.origin.reply = () => ({ status: 200, headers: ndjson, body: '{}\n' });
        const body = `${'x'.repeat(1_023)}\n`.repeat(limits.bulkBytesMax / 1_024);
        const answer = await stand.ask(target, earn(body, type));
        assert.equal(answer.status, 200, await answer.text());
        assert.equal(stand.origin.believed.at(-1)?.body.length, limits.bulkBytesMax);
      });

      it('whose client leaves ends at the origin, too', async () => {
        let isEnded = false;
        stand.origin.reply = () => ({
          status: 200,
          headers: ndjson,
          body: (async function* () {
            try {
              for (;;) {
                yield `${'x'.repeat(1_000)}\n`;
                await new Promise((resolve) => setTimeout(resolve, 5));
              }
            } finally {
              isEnded = true;
            }
          })(),
        });
        const leaving = new AbortController();
        const answer = await stand.ask(target, { ...earn(lines, type), signal: leaving.signal });
        await answer.body?.getReader().read();
        leaving.abort();
        await eventually('the origin is told', async () => isEnded);
      });

      // workerd ends such a body as if it were whole: that lines are missing is for the client to count.
      it('whose origin breaks off breaks off after the lines that came', async () => {
        const { promise: hasCome, resolve: comes } = Promise.withResolvers<void>();
        stand.origin.reply = () => ({
          status: 200,
          headers: ndjson,
          body: (async function* () {
            yield '{"index":0}\n';
            await hasCome;
            throw new Error('the origin dies');
          })(),
        });
        const answer = await stand.ask(target, earn(lines, type));
        const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
        assert.equal((await reader?.read())?.value, '{"index":0}\n');
        comes();
        if (runtime === 'workerd') assert.equal((await reader?.read())?.done, true);
        else await assert.rejects(async () => reader?.read(), TypeError);
      });

      const refusals: readonly [string, RequestInit, string][] = [
        [
          'another media type',
          earn(lines, { ...type, 'content-type': 'application/json' }),
          '415 unsupported_media_type',
        ],
        [
          'no media type',
          earn(new TextEncoder().encode(lines), { ...type, 'content-type': '' }),
          '415 unsupported_media_type',
        ],
        ['a body too large', earn(`${'x'.repeat(1_023)}\n`.repeat(1_025), type), '413 payload_too_large'],
        ['too many lines', earn('1\n'.repeat(limits.bulkLinesMax + 1), type), '413 payload_too_large'],
        ['a line too long', earn('x'.repeat(limits.bulkLineBytesMax + 1), type), '413 payload_too_large'],
        ['no line', earn('', type), '400 invalid_request'],
        ['no UTF-8', earn(Uint8Array.of(0xff, 0x0a), type), '400 invalid_json'],
        ['no key', earn(lines, { ...type, authorization: '' }), '401 unauthenticated'],
      ];
      for (const [name, init, refused] of refusals) {
        it(`refuses ${name}, and asks nobody`, async () => {
          const before = stand.origin.believed.length;
          assert.equal(await told(await stand.ask(target, init)), refused);
          assert.equal(stand.origin.believed.length, before);
        });
      }
    });
  });
}
