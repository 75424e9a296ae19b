import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  decodeTransactionId,
  isUuid,
  type ProgramId,
  parseIdempotencyKey,
  positionBounds,
  positionOf,
  programAccount,
  seqOf,
  transactionId,
  uuidV7,
} from './ids.ts';

const position = fc.record(
  {
    writerId: fc.integer({ min: 0, max: positionBounds.writerIdMax }),
    batch: fc.integer({ min: 1, max: positionBounds.batchMax }),
    place: fc.integer({ min: 0, max: positionBounds.placeMax }),
  },
  { noNullPrototype: true },
);

describe('identifiers', () => {
  it('UUIDv7 is canonical, carries its time, and sorts by it', () => {
    const ids = [1_700_000_000_000, 1_700_000_000_001, 1_800_000_000_000].map((ms) => uuidV7(ms));
    assert.ok(ids.every((id) => isUuid(id) && id[14] === '7'));
    assert.deepEqual([...ids].sort(), ids);
    assert.equal(Number.parseInt((ids[0] as string).replace('-', '').slice(0, 12), 16), 1_700_000_000_000);
    assert.equal(new Set(Array.from({ length: 1_000 }, () => uuidV7(5))).size, 1_000, 'of several draws of randomness');
  });

  it("a transaction's id is a UUIDv7 that gives time and position back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), position, (occurredAtMs, where) => {
        const id = transactionId(occurredAtMs, where);
        assert.ok(isUuid(id) && id[14] === '7', id);
        assert.deepEqual(decodeTransactionId(id), { occurredAtMs, position: where });
      }),
    );
  });

  it('seq holds a position in 63 bits, ordered by writer, batch, place', () => {
    fc.assert(
      fc.property(position, position, (left, right) => {
        assert.deepEqual(positionOf(seqOf(left)), left);
        assert.ok(BigInt(seqOf(left)) < 2n ** 63n);
        const order = left.writerId - right.writerId || left.batch - right.batch || left.place - right.place;
        assert.equal(Math.sign(Number(BigInt(seqOf(left)) - BigInt(seqOf(right)))), Math.sign(order));
      }),
    );
  });

  it('decodes no id that it did not make', () => {
    for (const text of ['', 'x', '01890000-0000-4000-8000-000000000000', '01890000-0000-7fff-8000-000000080000']) {
      assert.equal(decodeTransactionId(text), null);
    }
  });

  it("a program's accounts differ by role and are ids of their own", () => {
    const programId = uuidV7<ProgramId>(1_700_000_000_000);
    const issued = programAccount(programId, 'issued');
    assert.ok(isUuid(issued) && issued[14] === '8');
    assert.notEqual(issued, programAccount(programId, 'redeemed'));
    assert.notEqual(issued, programId as string);
  });

  it('takes printable ASCII without spaces as an idempotency key', () => {
    for (const good of ['a', '!~', 'x'.repeat(255)]) assert.equal(parseIdempotencyKey(good), good);
    for (const bad of ['', 'a b', 'é', 'a\n', '\0', 'x'.repeat(256)]) assert.equal(parseIdempotencyKey(bad), null);
  });
});
