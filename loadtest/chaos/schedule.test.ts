import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { needs, readArguments } from './arguments.ts';
import { type Fault, faults, type Lane, lanes } from './faults/index.ts';
import { type Planned, planOf } from './schedule.ts';

function planned(seed: number, lane: Lane, of: readonly Fault[], count: number): Planned[] {
  const plan: Planned[] = [];
  for (const next of planOf(seed, lane, of)) {
    plan.push(next);
    if (plan.length === count) break;
  }
  return plan;
}

const toldOf = (plan: readonly Planned[]): object[] =>
  plan.map(({ fault, gapMs, draw }) => ({ name: fault.name, gapMs, draw }));

describe('the schedule', () => {
  it('is the same for the same seed, and another for another one', () => {
    for (const lane of lanes) {
      assert.deepEqual(toldOf(planned(3, lane, faults, 100)), toldOf(planned(3, lane, faults, 100)));
      assert.notDeepEqual(toldOf(planned(3, lane, faults, 100)), toldOf(planned(4, lane, faults, 100)));
    }
  });

  it('has every fault once before any comes again, and keeps to what each allows', () => {
    for (const lane of lanes) {
      const ofLane = faults.filter((fault) => fault.lane === lane);
      const plan = planned(11, lane, faults, ofLane.length);
      assert.deepEqual(plan.map(({ fault }) => fault.name).sort(), ofLane.map(({ name }) => name).sort());
      for (const { fault, draw } of planned(12, lane, faults, 500)) {
        const [least, most] = fault.forMs;
        assert.ok(draw.forMs >= least && draw.forMs <= most);
        const [leastBack, mostBack] = fault.backMs ?? [draw.backMs, draw.backMs];
        assert.ok(draw.backMs >= leastBack && draw.backMs <= mostBack);
      }
    }
  });

  it('comes as often as the weights say', () => {
    const ofLane = faults.filter((fault) => fault.lane === 'core');
    const round = ofLane.reduce((sum, { weight }) => sum + weight, 0);
    const plan = planned(5, 'core', faults, ofLane.length + 3 * round).slice(ofLane.length);
    for (const { name, weight } of ofLane) {
      assert.equal(plan.filter(({ fault }) => fault.name === name).length, 3 * weight, name);
    }
  });

  it('is empty where no fault of the lane is wanted', () => {
    assert.deepEqual(
      planned(
        1,
        'core',
        faults.filter((fault) => fault.lane === 'around'),
        5,
      ),
      [],
    );
  });
});

describe('the faults', () => {
  it('have names of their own, and words for each', () => {
    assert.equal(new Set(faults.map(({ name }) => name)).size, faults.length);
    for (const { name, does, leaves, standsFor } of faults) {
      assert.match(name, /^[a-z]+(-[a-z]+)*$/);
      for (const words of [does, leaves, standsFor]) assert.ok(words.length > 10, name);
    }
  });
});

describe('the flags', () => {
  it('take faults by their names', () => {
    const { faults: chosen, seed } = readArguments(['--faults', 'core-kill,disk-full', '--seed', '9']);
    assert.deepEqual([chosen.map(({ name }) => name), seed], [['core-kill', 'disk-full'], 9]);
  });

  it('tell whether namespaces are needed', () => {
    assert.equal(needs(readArguments([]), 'namespaces'), true);
    assert.equal(needs(readArguments(['--rolling']), 'namespaces'), false);
    assert.equal(needs(readArguments(['--break-fence']), 'namespaces'), false);
  });

  it('are refused in words', () => {
    assert.throws(() => readArguments(['--faults', 'nonsense']), /--faults are any of core-kill.*not "nonsense"/);
    assert.throws(() => readArguments(['--seconds', '0']), /--seconds is a whole number from 1/);
    assert.throws(() => readArguments(['--rate', 'many']), /--rate is a whole number/);
  });

  it('are always the same in the short form', () => {
    assert.deepEqual(readArguments(['--short']), readArguments(['--short']));
  });
});
