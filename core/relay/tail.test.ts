import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CommittedBatch } from '@local-plus/actors';
import type { AccountId } from '@local-plus/contracts';
import { Tail } from './tail.ts';
import { postedRow } from './test/stage.ts';

const account = '01890000-0000-7000-8000-000000000000' as AccountId;

function batchOf(batch: number, rows: number): CommittedBatch {
  return { writerId: 1, batch, posted: Array.from({ length: rows }, (_, index) => postedRow(account, index + 1)) };
}

function tailOf(bounds: { rows: number; batches: number }, offered: readonly CommittedBatch[]): Tail {
  const tail = new Tail({ memoryRowsMax: bounds.rows, memoryBatchesMax: bounds.batches });
  for (const batch of offered) tail.offer(batch);
  return tail;
}

const roomy = { rows: 1_000, batches: 1_000 };
const batches = (...numbers: number[]) => numbers.map((number) => batchOf(number, 2));

describe('the tail in memory', () => {
  const cases: readonly {
    readonly says: string;
    readonly tail: Tail;
    readonly cursor: number;
    /** `[batch, place]` of each row and the last batch; null: not here. */
    readonly expected: { readonly rows: readonly (readonly [number, number])[]; readonly lastBatch: number } | null;
  }[] = [
    { says: 'is empty at first', tail: tailOf(roomy, []), cursor: 0, expected: null },
    {
      says: 'gives whole batches after the cursor until there are rows enough',
      tail: tailOf(roomy, batches(1, 2, 3, 4)),
      cursor: 1,
      expected: {
        rows: [
          [2, 0],
          [2, 1],
          [3, 0],
          [3, 1],
        ],
        lastBatch: 3,
      },
    },
    { says: 'has nothing after its newest', tail: tailOf(roomy, batches(1, 2)), cursor: 2, expected: null },
    {
      says: 'has nothing for a cursor that is ahead of it',
      tail: tailOf(roomy, batches(1, 2)),
      cursor: 7,
      expected: null,
    },
    { says: 'sees a gap before its oldest', tail: tailOf(roomy, batches(5, 6)), cursor: 3, expected: null },
    {
      says: 'begins anew after a gap between two offers',
      tail: tailOf(roomy, batches(1, 2, 5)),
      cursor: 1,
      expected: null,
    },
    {
      says: 'begins anew with the offer after the gap',
      tail: tailOf(roomy, batches(1, 2, 5)),
      cursor: 4,
      expected: {
        rows: [
          [5, 0],
          [5, 1],
        ],
        lastBatch: 5,
      },
    },
    {
      says: 'takes no batch twice',
      tail: tailOf(roomy, batches(1, 2, 2, 1)),
      cursor: 1,
      expected: {
        rows: [
          [2, 0],
          [2, 1],
        ],
        lastBatch: 2,
      },
    },
    {
      says: 'passes batches without rows',
      tail: tailOf(roomy, [batchOf(1, 0), batchOf(2, 0)]),
      cursor: 0,
      expected: { rows: [], lastBatch: 2 },
    },
    {
      says: 'drops the oldest past its rows',
      tail: tailOf({ rows: 5, batches: 9 }, batches(1, 2, 3)),
      cursor: 0,
      expected: null,
    },
    {
      says: 'keeps the newest past its rows',
      tail: tailOf({ rows: 5, batches: 9 }, batches(1, 2, 3)),
      cursor: 1,
      expected: {
        rows: [
          [2, 0],
          [2, 1],
          [3, 0],
          [3, 1],
        ],
        lastBatch: 3,
      },
    },
    {
      says: 'drops the oldest past its batches, though they have no rows',
      tail: tailOf({ rows: 5, batches: 2 }, [batchOf(1, 0), batchOf(2, 0), batchOf(3, 0)]),
      cursor: 0,
      expected: null,
    },
  ];
  for (const { says, tail, cursor, expected } of cases) {
    it(says, () => {
      const chunk = tail.after(cursor, 3);
      assert.deepEqual(
        chunk && { rows: chunk.rows.map(({ batch, place }) => [batch, place]), lastBatch: chunk.lastBatch },
        expected,
      );
    });
  }

  it('shares the rows with whoever offered them', () => {
    const batch = batchOf(1, 1);
    assert.equal(tailOf(roomy, [batch]).after(0, 1)?.rows[0]?.row, batch.posted[0]);
  });

  it('forgets what is published, and counts what it holds and what it dropped', () => {
    const tail = tailOf({ rows: 6, batches: 9 }, batches(1, 2, 3, 4));
    assert.deepEqual([tail.rows, tail.rowsDroppedTotal], [6, 2]);
    tail.forget(3);
    assert.deepEqual([tail.rows, tail.rowsDroppedTotal], [2, 2]);
    tail.forget(9);
    assert.equal(tail.rows, 0);
    tail.offer(batchOf(5, 1));
    assert.equal(tail.after(4, 1)?.lastBatch, 5);
  });

  it('keeps its places right over many drops', () => {
    const tail = new Tail({ memoryRowsMax: 100, memoryBatchesMax: 100 });
    for (let batch = 1; batch <= 5_000; batch++) {
      tail.offer(batchOf(batch, 1));
      if (batch % 3 === 0) tail.forget(batch - 2);
      assert.equal(tail.after(batch - 1, 1)?.lastBatch, batch);
    }
  });
});
