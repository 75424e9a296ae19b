import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AccountId, IdempotencyKey, RequestId } from '@local-plus/contracts';
import type { RequestFacts } from '../ports.ts';
import { chainText, detailText } from './chain.ts';
import type { PostingDetail } from './model.ts';
import { earn, History, hold, programId, reverse } from './test/history.ts';

const facts: RequestFacts = {
  accountId: '01890000-0000-7000-8000-000000000001' as AccountId,
  programId,
  idempotencyKey: 'a"key\\' as IdempotencyKey,
  requestHash: '0123456789abcdef0123456789abcdef',
  requestId: '01890000-0000-7000-8000-000000000002' as RequestId,
  traceparent: 'not part of it',
  reference: 'café "Ω"\n',
  metadata: '{"till": "7"}',
};
const link = 'ab'.repeat(32);
const history = new History([earn(9, 5), hold(4), reverse(1, 2)]);
const [earned, , reversed] = history.postings;
assert.ok(earned && reversed);

describe('the hash chain', () => {
  it('is over every stored field, in fixed order', () => {
    assert.equal(
      chainText(link, { facts, posting: reversed }),
      `["${link}","${facts.accountId}",3,"reverse",2,-2,7,4,43200000,"01890000-0000-8000-8000-000000000001",` +
        `"${programId}","${facts.requestId}","a\\"key\\\\","${facts.requestHash}","café \\"Ω\\"\\n","{\\"till\\": \\"7\\"}",` +
        `"transaction 1",0,"{\\"lots\\":[[5,-2]],\\"reverses\\":1}"]`,
    );
  });

  it('says null where there is nothing', () => {
    const plain = new History([earn(9)]).postings[0];
    assert.ok(plain);
    const text = chainText(null, { facts: { ...facts, reference: null, metadata: null }, posting: plain });
    assert.deepEqual(JSON.parse(text), [
      null,
      facts.accountId,
      1,
      'earn',
      9,
      9,
      9,
      0,
      43_200_000,
      plain.contraAccountId,
      programId,
      facts.requestId,
      facts.idempotencyKey,
      facts.requestHash,
      null,
      null,
      null,
      null,
      null,
    ]);
  });

  it('no field can change unseen, nor move into its neighbour', () => {
    const row = { facts, posting: earned };
    const other = 'other';
    const changed = [
      { facts, posting: { ...earned, version: 2 } },
      { facts, posting: { ...earned, kind: 'load' as const } },
      { facts, posting: { ...earned, amount: 8 } },
      { facts, posting: { ...earned, balanceDelta: 8 } },
      { facts, posting: { ...earned, balanceAfter: 8 } },
      { facts, posting: { ...earned, heldAfter: 8 } },
      { facts, posting: { ...earned, occurredAtMs: 8 } },
      { facts, posting: { ...earned, contraAccountId: facts.accountId } },
      { facts, posting: { ...earned, baseVersion: 1 } },
      { facts, posting: { ...earned, detail: null } },
      { facts, posting: { ...earned, reversalOf: reversed.reversalOf } },
      { facts: { ...facts, accountId: programId as string as AccountId }, posting: earned },
      { facts: { ...facts, programId: facts.accountId as string as typeof programId }, posting: earned },
      { facts: { ...facts, requestId: programId as string as RequestId }, posting: earned },
      { facts: { ...facts, idempotencyKey: other as IdempotencyKey }, posting: earned },
      { facts: { ...facts, requestHash: other }, posting: earned },
      { facts: { ...facts, reference: other }, posting: earned },
      { facts: { ...facts, reference: 'null' }, posting: earned },
      { facts: { ...facts, reference: null }, posting: earned },
      { facts: { ...facts, metadata: other }, posting: earned },
      { facts: { ...facts, reference: facts.metadata, metadata: facts.reference }, posting: earned },
    ];
    const texts = [chainText(null, row), chainText(link, row), ...changed.map((each) => chainText(null, each))];
    assert.equal(new Set(texts).size, changed.length + 2);
  });

  it('a detail is one text, whatever the order of its members', () => {
    const detail: PostingDetail = {
      cleared: true,
      due: true,
      partner: facts.accountId,
      reason: 'a "why"',
      owed: 7,
      reverses: 6,
      captured: [[5, 5]],
      released: 4,
      hold_expires_ms: 3,
      hold: 2,
      lots: [
        [1, 1],
        [2, -2],
      ],
    };
    const text =
      '{"lots":[[1,1],[2,-2]],"hold":2,"hold_expires_ms":3,"released":4,"captured":[[5,5]],"reverses":6,"owed":7,' +
      `"reason":"a \\"why\\"","partner":"${facts.accountId}","due":true,"cleared":true}`;
    assert.equal(detailText(detail), text);
    assert.equal(detailText(JSON.parse(text)), text);
    assert.equal(detailText(null), null);
  });
});
