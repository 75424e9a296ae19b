/** A table of UUIDs beside a Map: it may forget, never err. SEED=<the seed in the test's name> repeats a run. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { UuidTable } from './uuid-table.ts';

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const ids = Array.from({ length: 40 }, () => randomUUID());

function put(table: UuidTable, id: string, value: number): void {
  const at = table.take(id);
  assert.ok(at >= 0);
  table.words[at] = value;
}

function valueAt(table: UuidTable, id: string): number | null {
  const at = table.find(id);
  return at < 0 ? null : (table.words[at] as number);
}

describe('a table of UUIDs', () => {
  it(`says of an id what was said of it last, or nothing (SEED=${seed})`, () => {
    const step = fc.record({
      id: fc.constantFrom(...ids),
      does: fc.constantFrom('put', 'put', 'free'),
      value: fc.nat(),
    });
    let forgotten = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300, size: 'max' }), (steps) => {
        const table = new UuidTable(16, 1);
        const known = new Map<string, number>();
        for (const { id, does, value } of steps) {
          if (does === 'put') {
            put(table, id, value);
            known.set(id, value);
            assert.equal(valueAt(table, id), value);
          } else {
            const at = table.find(id);
            if (at >= 0) table.free(at);
            known.delete(id);
          }
          const found = ids.map((each) => valueAt(table, each));
          for (const [index, value] of found.entries()) {
            if (value !== null) assert.equal(value, known.get(ids[index] as string));
          }
          const held = found.filter((value) => value !== null).length;
          assert.equal(table.size, held);
          forgotten += known.size - held;
        }
      }),
      { seed, numRuns: 60 },
    );
    assert.ok(forgotten > 0, 'forty ids met sixteen places');
  });

  it('forgets who was put there first', () => {
    const table = new UuidTable(8, 1);
    const [first, second, ...others] = ids.slice(0, 9) as [string, string, ...string[]];
    for (const [index, id] of [first, second, ...others.slice(0, 6)].entries()) put(table, id, index);
    put(table, first, 100);
    put(table, others[6] as string, 8);
    assert.deepEqual([valueAt(table, first), valueAt(table, second), table.size], [100, null, 8]);
  });

  it('forgets hardly anything before nine tenths are full, whoever comes and goes', () => {
    const table = new UuidTable(4_096, 1);
    const many = Array.from({ length: 3_686 }, () => randomUUID());
    for (const [value, id] of many.entries()) put(table, id, value);
    for (let round = 0; round < 3; round++) {
      for (const [value, id] of many.entries()) {
        const at = table.find(id);
        if (at >= 0) table.free(at);
        put(table, id, value);
      }
    }
    const forgotten = many.filter((id, value) => valueAt(table, id) !== value).length;
    assert.ok(forgotten <= 1, `${forgotten} of ${many.length}`);
  });

  it('keeps ids apart that differ in one digit', () => {
    const table = new UuidTable(256, 1);
    const id = '01890000-0000-7000-8000-000000000000';
    const places = [...id].flatMap((digit, place) => (digit === '-' ? [] : [place]));
    const alike = places.map((place) => `${id.slice(0, place)}${id[place] === 'f' ? 'e' : 'f'}${id.slice(place + 1)}`);
    for (const [value, each] of [id, ...alike].entries()) put(table, each, value);
    for (const [value, each] of [id, ...alike].entries()) assert.equal(valueAt(table, each), value);
  });

  it('takes no other text for an id', () => {
    const table = new UuidTable(8, 1);
    const id = ids[0] as string;
    put(table, id, 1);
    const others = [
      '',
      id.slice(1),
      id.toUpperCase(),
      id.replaceAll('-', '_'),
      `${id.slice(0, 35)}g`,
      `${id.slice(0, 35)}é`,
    ];
    for (const other of others.filter((text) => text !== id)) {
      assert.equal(table.find(other), -1, other);
      assert.equal(table.take(other), -1, other);
    }
    assert.equal(table.size, 1);
  });

  it('has no memory before it is used, and none after it is cleared', () => {
    const table = new UuidTable(8, 3);
    assert.equal(table.find(ids[0] as string), -1);
    assert.equal(table.words.length, 0);
    put(table, ids[0] as string, 1);
    assert.equal(table.words.buffer, table.floats.buffer);
    table.clear();
    assert.deepEqual([table.words.length, table.size, valueAt(table, ids[0] as string)], [0, 0, null]);
  });

  it('does not take a size that its places do not fit', () => {
    for (const [places, words] of [
      [4, 1],
      [24, 1],
      [8, 2],
    ] as const) {
      assert.throws(() => new UuidTable(places, words), RangeError);
    }
  });
});
