import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AccountId, uuidV7 } from './ids.ts';
import { shardCount, shardOf } from './shards.ts';

describe('the shard of an account', () => {
  it('is the last byte of its id: these never change', () => {
    const vectors: readonly (readonly [string, number])[] = [
      ['01890000-0000-7000-8000-000000000000', 0],
      ['01890000-0000-7000-8000-000000000009', 9],
      ['01890000-0000-7000-8000-00000000000a', 10],
      ['01890000-0000-7000-8000-00000000001f', 31],
      ['01890000-0000-7000-8000-0000000000a0', 160],
      ['018fffff-ffff-7fff-bfff-ffffffffffff', 255],
      ['01a1ff59-a680-7ffb-9056-62acebb5e81c', 28],
    ];
    for (const [id, shard] of vectors) assert.equal(shardOf(id as AccountId), shard, id);
  });

  it('spreads new accounts over all of them', () => {
    const counts = new Array<number>(shardCount).fill(0);
    for (let number = 0; number < 256 * 100; number++) {
      const shard = shardOf(uuidV7<AccountId>(1_700_000_000_000));
      counts[shard] = (counts[shard] as number) + 1;
    }
    // A hundred each, give or take seven standard deviations.
    assert.ok(Math.min(...counts) > 30 && Math.max(...counts) < 170, `${Math.min(...counts)} … ${Math.max(...counts)}`);
  });
});
