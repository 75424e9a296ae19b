import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { idCursor, idOf, pageOf, placeCursor, placeOf } from './index.ts';

describe('cursors', () => {
  it('are read back as they were written, and no others are', () => {
    const id = randomUUID();
    assert.equal(idOf(idCursor(id)), id);
    for (const text of ['', 'A', `${idCursor(id)}A`, `${idCursor(id)}=`, id]) assert.equal(idOf(text), null, text);
    for (const place of [1, 35, 36, 1_000_000, Number.MAX_SAFE_INTEGER]) {
      assert.equal(placeOf(placeCursor(place)), place);
    }
    for (const text of ['', '0', '01', '-1', '1.5', 'Z', 'zzzzzzzzzzz', ' 1']) assert.equal(placeOf(text), null, text);
  });

  it('say that there is more only when there is', () => {
    assert.deepEqual(pageOf([1, 2, 3], 2, String), { rows: [1, 2], nextCursor: '2' });
    assert.deepEqual(pageOf([1, 2], 2, String), { rows: [1, 2], nextCursor: null });
    assert.deepEqual(pageOf([], 2, String), { rows: [], nextCursor: null });
  });
});
