import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { bulk, parseSigningKeys, uuidV7 } from '@local-plus/contracts';
import { RequestReader } from './request-reader.ts';
import { type RequestPlan, writeRequests } from './requests.ts';
import { replays, type Shape, single } from './shape.ts';

const dir = mkdtempSync(join(tmpdir(), 'local-plus-requests-'));
const [signingKey] = parseSigningKeys(`k1:${'A'.repeat(43)}`);
after(() => rmSync(dir, { recursive: true }));

function planOf(shape: Shape, count: number): RequestPlan {
  const walletIds = Array.from({ length: 3 }, () => uuidV7<string>(Date.now()));
  const caller = { type: 'merchant', merchantId: uuidV7<string>(Date.now()) } as const;
  return {
    host: '127.0.0.1',
    port: 8_080,
    signingKey,
    caller,
    walletIds,
    firstWallet: 0,
    count,
    shape,
    keyPrefix: 'r1',
  };
}

function read(plan: RequestPlan): string[] {
  const path = join(dir, 'requests.http');
  const { requestBytes } = writeRequests(path, plan);
  const reader = new RequestReader(path, requestBytes);
  const texts: string[] = [];
  for (let next = reader.next(); next !== null; next = reader.next()) texts.push(next.toString());
  reader.close();
  assert.equal(texts.join(''), readFileSync(path, 'utf8'));
  return texts;
}

/** What a request asks, without what is new each time: nonce, signature, request id. */
function asks(text: string): string {
  const key = /idempotency-key: (\S+)/.exec(text)?.[1];
  return `${text.split(' ')[1]} ${key} ${text.split('\r\n\r\n')[1]}`;
}

describe('the requests of a round', () => {
  it('are each their own, and signed for themselves', () => {
    const texts = read(planOf(single, 2_500));
    assert.equal(texts.length, 2_500);
    assert.equal(new Set(texts.map(asks)).size, 2_500);
  });

  it('go on with the wallet that they are told to begin with', () => {
    const plan = planOf(single, 5);
    const walletOf = (text: string) => plan.walletIds.findIndex((id) => text.includes(`/v1/wallets/${id}/earn`));
    assert.deepEqual(read({ ...plan, firstWallet: 7 }).map(walletOf), [1, 2, 0, 1, 2]);
  });

  it('a replay asks the same, with a nonce of its own', () => {
    const texts = read(planOf(replays, 6_000));
    assert.equal(new Set(texts.map(asks)).size, 5_800);
    assert.equal(new Set(texts.map((text) => /lp-context: (\S+)/.exec(text)?.[1])).size, 6_000);
  });

  it('a bulk request has lines that the contract knows', () => {
    const texts = read(planOf({ type: 'bulk', lines: 50 }, 4));
    const cuts = texts.map((text) => bulk.cutLines(Buffer.from(text.split('\r\n\r\n')[1] ?? '')));
    const lines = cuts.flatMap((cut) => (cut.ok ? cut.lines : assert.fail(cut.detail)));
    const keys = lines.map((line) => bulk.line.parse(JSON.parse(line)).idempotency_key);
    assert.equal(new Set(keys).size, 200);
  });
});
