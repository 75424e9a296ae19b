/** The set of nonces says what a plain set says, however many there are. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { NonceSet } from './nonce-set.ts';

const nonce = fc.string({ unit: fc.constantFrom('A', 'B', 'z', '_', '-', '0'), minLength: 1, maxLength: 32 });

describe('the set of nonces', () => {
  it('agrees with a plain set, whatever is added and asked', () => {
    fc.assert(
      fc.property(fc.array(nonce, { maxLength: 200 }), fc.array(nonce, { maxLength: 50 }), (added, asked) => {
        const [set, model] = [new NonceSet(), new Set<string>()];
        for (const each of added) {
          assert.equal(set.add(each), !model.has(each));
          model.add(each);
        }
        for (const each of [...added, ...asked]) assert.equal(set.has(each), model.has(each));
        assert.equal(set.size, model.size);
      }),
    );
  });

  it('loses none when it grows, whatever room it began with', () => {
    for (const expected of [0, 5_000]) {
      const set = new NonceSet(expected);
      const nonces = Array.from({ length: 10_000 }, (_, index) => `nonce-${index}-${'x'.repeat(index % 12)}`);
      for (const each of nonces) assert.equal(set.add(each), true, each);
      for (const each of nonces) assert.equal(set.add(each), false, each);
      assert.equal(set.size, nonces.length);
      assert.equal(set.has('nonce-10000'), false);
    }
  });

  it('tells nonces apart that are the beginning of others, and refuses what no slot holds', () => {
    const set = new NonceSet();
    for (const each of ['abcd', 'abc', 'ab', 'a', 'abcde']) assert.equal(set.add(each), true, each);
    assert.throws(() => set.add(''), /length/);
    assert.throws(() => set.has('x'.repeat(33)), /length/);
  });
});
