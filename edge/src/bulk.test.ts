/** Lines through the edge: framed, counted on the key's plan, and passed on as they came. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '@local-plus/contracts';
import { createStage, earn, grant, key, type Stage, told } from '../test/stage.ts';
import { keyDigest } from './key-digests.ts';

const target = '/v1/transactions/bulk';
const type = { 'content-type': 'application/x-ndjson', 'idempotency-key': '' };
const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

async function stageOf(requestsPerMinute: number): Promise<Stage> {
  const stage = await createStage();
  stage.keys.set(await keyDigest(key), { ...grant, requests_per_minute: requestsPerMinute });
  const answer = { status: 200, headers: { 'content-type': 'application/x-ndjson' } };
  stage.answer(() => new Response('{"index":0}\n', answer));
  return stage;
}

function send(stage: Stage, body: string | Uint8Array<ArrayBuffer>): Promise<Response> {
  return stage.ask(target, earn(body, type));
}

describe('lines at the edge', () => {
  it('go on exactly as they came, whatever stands in them, and need no Idempotency-Key', async () => {
    const stage = await stageOf(10);
    const body = '{"wallet_id":5}\r\n\nnothing at all\n{"ä":1}';
    const answer = await send(stage, body);
    assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'application/x-ndjson']);
    assert.equal(await answer.text(), '{"index":0}\n');
    const [asked] = stage.asked;
    assert.deepEqual([asked?.target, asked?.headers['content-type']], [target, 'application/x-ndjson']);
    assert.equal(asked?.headers['idempotency-key'], undefined);
    assert.deepEqual(asked?.body, bytes(body));
  });

  const line = `${'x'.repeat(limits.bulkLineBytesMax)}\n`;
  const refusals: readonly [string, string | Uint8Array<ArrayBuffer>, string][] = [
    ['none', '', '400 invalid_request'],
    ['no UTF-8', Uint8Array.of(0x31, 0x0a, 0xc3, 0x0a), '400 invalid_json'],
    ['too many', '1\n'.repeat(limits.bulkLinesMax + 1), '413 payload_too_large'],
    ['one too long', `1\n${line.trimEnd()}1\n`, '413 payload_too_large'],
    ['too large together', line.repeat(limits.bulkBytesMax / limits.bulkLineBytesMax), '413 payload_too_large'],
  ];
  for (const [name, body, refused] of refusals) {
    it(`are refused as a whole when there are ${name}`, async () => {
      const stage = await stageOf(1_000);
      assert.equal(await told(await send(stage, body)), refused);
      assert.deepEqual(stage.asked, []);
    });
  }

  it('may be as many and as long as is said', async () => {
    const stage = await stageOf(1_000);
    assert.equal((await send(stage, '1\n'.repeat(limits.bulkLinesMax))).status, 200);
    assert.equal((await send(stage, line.repeat(200))).status, 200);
  });

  it('count as a request of the plan each fifty, begun or full', async () => {
    const stage = await stageOf(10);
    const of = async (count: number) => {
      const answer = await send(stage, '1\n'.repeat(count));
      return `${await told(answer)} ${answer.headers.get('ratelimit')?.split(';')[1]}`;
    };
    assert.equal(await of(50), '200 r=9');
    assert.equal(await of(51), '200 r=7');
    assert.equal(await of(300), '200 r=1');
    assert.equal(await of(51), '429 rate_limited r=0', 'the first one was taken');
    assert.equal(await of(1), '429 rate_limited r=0');
    assert.equal(stage.asked.length, 3);
    stage.passMs(70_000);
    assert.equal(await of(500), '200 r=0');
  });

  it('that no minute of the plan could hold are too many, not too early', async () => {
    const stage = await stageOf(2);
    const refused = await send(stage, '1\n'.repeat(101));
    assert.equal(refused.headers.get('retry-after'), null);
    assert.equal(await told(refused), '413 payload_too_large');
    assert.equal((await send(stage, '1\n')).status, 200);
  });
});
