/** The table of keys on the way. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { IdempotencyKey } from '@local-plus/contracts';
import fc from 'fast-check';
import { type Keyed, KeyTable } from './key-table.ts';

function keyed(text: string): Keyed {
  return { facts: { idempotencyKey: text as IdempotencyKey }, nextKeyed: null };
}

describe('the table of keys on the way', () => {
  it('is what a map would be, whatever comes and goes', () => {
    const step = fc.record({ adds: fc.boolean(), which: fc.nat(99) });
    const keys = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 100, maxLength: 100 });
    fc.assert(
      fc.property(keys, fc.array(step, { maxLength: 400 }), (texts, history) => {
        const entries = texts.map(keyed);
        const table = new KeyTable<Keyed>();
        const model = new Map<string, Keyed>();
        for (const { adds, which } of history) {
          const entry = entries[which] as Keyed;
          const key = entry.facts.idempotencyKey;
          if (!adds) assert.equal(table.delete(entry), model.delete(key));
          else if (!model.has(key)) {
            table.add(entry);
            model.set(key, entry);
          }
          assert.equal(table.size, model.size);
        }
        for (const { facts } of entries) {
          assert.equal(table.find(facts.idempotencyKey), model.get(facts.idempotencyKey));
        }
      }),
    );
  });

  it('takes out the entry that it is given, not another one with its key', () => {
    const table = new KeyTable<Keyed>();
    const [mine, theirs] = [keyed('key'), keyed('key')];
    table.add(mine);
    assert.equal(table.delete(theirs), false);
    assert.equal(table.find(mine.facts.idempotencyKey), mine);
  });

  it('lets whatever is taken out point to nobody', () => {
    const table = new KeyTable<Keyed>();
    const entries = Array.from({ length: 200 }, (_, index) => keyed(`key ${index}`));
    for (const entry of entries) table.add(entry);
    assert.ok(
      entries.some(({ nextKeyed }) => nextKeyed !== null),
      'some share a bucket',
    );
    for (const entry of entries) assert.equal(table.delete(entry), true);
    assert.deepEqual(new Set(entries.map(({ nextKeyed }) => nextKeyed)), new Set([null]));
  });
});
