import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { planShards } from './plan.ts';

const writer = fc.integer({ min: 0, max: 12 });
const owners = fc.array(writer, { minLength: 1, maxLength: 256 });
const writers = fc.uniqueArray(writer, { minLength: 1, maxLength: 10 });

function countsOf(plan: readonly number[], members: readonly number[]): number[] {
  return members.map((member) => plan.filter((owner) => owner === member).length);
}

/** However the odd shards are given out: what has to move at least. */
function movesMin(members: readonly number[], before: readonly number[]): number {
  const share = Math.floor(before.length / members.length);
  let odd = before.length % members.length;
  let kept = 0;
  for (const held of countsOf(before, members)) {
    kept += Math.min(held, share);
    if (held > share && odd > 0) {
      kept++;
      odd--;
    }
  }
  return before.length - kept;
}

describe('the plan of shards', () => {
  it('is even within one, moves the fewest, and does not depend on the order of the members', () => {
    fc.assert(
      fc.property(writers, owners, (members, before) => {
        const plan = planShards(members, before);
        const counts = countsOf(plan, members);
        assert.equal(
          counts.reduce((sum, count) => sum + count, 0),
          before.length,
        );
        assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join(' '));
        const moves = plan.filter((owner, shard) => owner !== before[shard]).length;
        assert.equal(moves, movesMin(members, before));
        assert.deepEqual(planShards(members.toReversed(), before), plan);
      }),
    );
  });

  it('is at rest once it is carried out', () => {
    fc.assert(
      fc.property(writers, owners, (members, before) => {
        const plan = planShards(members, before);
        assert.deepEqual(planShards(members, plan), plan);
      }),
    );
  });

  it('gives each of three a third of what one had, and all back to the last one', () => {
    const one = Array.from({ length: 256 }, () => 1);
    const three = planShards([1, 2, 3], one);
    assert.deepEqual(countsOf(three, [1, 2, 3]), [86, 85, 85]);
    assert.deepEqual(planShards([1], three), one);
    assert.deepEqual(planShards([], three), three);
  });
});
