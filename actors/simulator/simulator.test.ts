import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { COVERING_SEEDS, everything, runSeeds, unmet } from './campaign.ts';
import { type Report, simulate } from './history.ts';
import { OPERATIONS_DEFAULT, planOf } from './plan.ts';
import { Random } from './random.ts';
import { Shrinker } from './shrink.ts';
import type { Met } from './world.ts';

describe('the simulator', () => {
  it(`${COVERING_SEEDS} seeds hold, and meet everything that can be met`, async () => {
    const tally = await runSeeds({ from: 1, count: COVERING_SEEDS, step: 1 });
    const { failure } = tally;
    assert.equal(failure, null, `seed ${failure?.seed}: ${failure?.violation}; npm run sim -- --seed ${failure?.seed}`);
    assert.deepEqual(unmet(tally), []);
    assert.ok(tally.operations >= COVERING_SEEDS * OPERATIONS_DEFAULT);
  });

  it('one seed, one history, to the last line', async () => {
    for (const seed of [1, 7, 23]) {
      const traces: string[][] = [[], []];
      const [one, other] = [await simulate(planOf(seed), traces[0]), await simulate(planOf(seed), traces[1])];
      assert.ok((traces[0]?.length ?? 0) > OPERATIONS_DEFAULT);
      assert.deepEqual(traces[0], traces[1]);
      assert.deepEqual([one.hash, one.happenings], [other.hash, other.happenings]);
      const untold = await simulate(planOf(seed));
      assert.equal(untold.hash, one.hash, 'telling changes nothing');
    }
  });

  it('other seeds, other histories', async () => {
    const hashes = new Set<number>();
    for (let seed = 1; seed <= 50; seed++) hashes.add((await simulate(planOf(seed))).hash);
    assert.equal(hashes.size, 50);
  });

  it('yields enough turns: a drain that waits for the event loop makes the same histories', async () => {
    for (let seed = 1; seed <= 100; seed++) {
      const quick = await simulate(planOf(seed));
      const slow = await simulate(planOf(seed), null, async () => {
        await setImmediate();
      });
      assert.equal(slow.hash, quick.hash, `seed ${seed}`);
      assert.equal(slow.happenings, quick.happenings, `seed ${seed}`);
    }
  });

  it('a plan without any fault answers everything, at once and as it was asked', async () => {
    const without = everything.filter((what) => what in planOf(1).faults);
    const wrong = ['superseded', 'failed'] as const;
    for (let seed = 1; seed <= 20; seed++) {
      const { violation, met, postings, operations } = await simulate(planOf(seed, { without: without as never }));
      assert.equal(violation, null);
      for (const what of [...wrong, ...without]) assert.equal(met.get(what as Met), undefined, `seed ${seed}: ${what}`);
      assert.equal(
        met.get('batch refused'),
        met.get('optimistic batch refused'),
        `seed ${seed}: but for a key, no batch is`,
      );
      const [fencedOff = 0, mistaken = 0] = [met.get('commit fenced off'), met.get('batch refused')];
      assert.ok(fencedOff <= mistaken, `seed ${seed}: only a successor of one that was mistaken is fenced off`);
      const refused = (met.get('refused by the account') ?? 0) + (met.get('several parts refused') ?? 0);
      // What is due in a version is posted once, whoever asks: a few of the operations are replays.
      const replayed = met.get('replayed') ?? 0;
      assert.ok(postings + refused + replayed >= operations, `seed ${seed}: every operation has an outcome`);
    }
  });
});

describe('shrinking', () => {
  it('finds smaller histories that still have what is looked for', async () => {
    const raises = (report: Report) => report.met.has('epoch raised') && report.met.has('ghost executed');
    let operations = 0;
    let found = 0;
    for (let seed = 1; found < 5; seed++) {
      const report = await simulate(planOf(seed));
      if (!raises(report)) continue;
      found++;
      const { changes, report: shrunk } = await new Shrinker(report, raises).shrink();
      assert.ok(raises(shrunk), `seed ${seed}`);
      assert.ok(!changes.without?.includes('ghost'), 'without ghosts there is none');
      assert.deepEqual((await simulate(planOf(seed, changes))).hash, shrunk.hash, 'what it says can be replayed');
      operations += changes.operations ?? OPERATIONS_DEFAULT;
    }
    assert.ok(operations < (found * OPERATIONS_DEFAULT) / 2, `${operations} operations of ${found} histories`);
  });

  it('leaves a history as it is when nothing smaller has it', async () => {
    const plan = planOf(5);
    const { changes, tries } = await new Shrinker(await simulate(plan), () => false).shrink();
    assert.deepEqual([changes.operations, changes.accounts], [plan.operations, plan.accounts]);
    assert.ok(tries > 10);
  });
});

describe('the random numbers', () => {
  it('are the same for a seed and a stream, and others for others', () => {
    const draw = (seed: number, stream: number) => {
      const random = new Random(seed, stream);
      return Array.from({ length: 8 }, () => random.next());
    };
    assert.deepEqual(draw(1, 1), draw(1, 1));
    assert.notDeepEqual(draw(1, 1), draw(1, 2));
    assert.notDeepEqual(draw(1, 1), draw(2, 1));
  });

  it('fill their ranges evenly', () => {
    const random = new Random(1, 1);
    const counts = new Array<number>(10).fill(0);
    for (let draw = 0; draw < 10_000; draw++) {
      const place = random.below(10);
      counts[place] = (counts[place] ?? 0) + 1;
    }
    for (let draw = 0; draw < 1_000; draw++) {
      const value = random.between(3, 5);
      assert.ok(value >= 3 && value <= 5);
    }
    assert.ok(counts.every((count) => count > 850 && count < 1_150));
  });
});
