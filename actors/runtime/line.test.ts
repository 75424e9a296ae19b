/** A line beside an array. SEED=<the seed in the test's name> repeats a run. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { Line, type Linked } from './line.ts';

interface Member extends Linked<Member> {
  readonly number: number;
}

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

it(`is what an array would be, whatever comes, goes and is put back (SEED=${seed})`, () => {
  const steps = fc.array(fc.constantFrom('push', 'push', 'shift', 'put back', 'take all'), { maxLength: 100 });
  fc.assert(
    fc.property(steps, (history) => {
      const line = new Line<Member>();
      let model: Member[] = [];
      let taken: Member[] = [];
      for (const [number, does] of history.entries()) {
        if (does === 'push') {
          const member: Member = { number, nextInLine: null };
          line.push(member);
          model.push(member);
        } else if (does === 'shift') {
          const first = line.shift();
          assert.equal(first, model.shift() ?? null);
          if (first !== null) taken.push(first);
        } else if (does === 'put back') {
          line.putBack(taken);
          model = [...taken, ...model];
          taken = [];
        } else {
          assert.deepEqual(line.takeAll(), model);
          model = [];
        }
        for (const member of taken) assert.equal(member.nextInLine, null);
        assert.deepEqual([line.length, line.first], [model.length, model[0] ?? null]);
      }
      assert.deepEqual(line.takeAll(), model);
    }),
    { seed, numRuns: 300 },
  );
});
