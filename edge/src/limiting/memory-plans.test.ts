import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { monthMs, onlyMinute, type PlanBench, planSuite } from '../../test/plan-suite.ts';
import type { Trouble } from '../ports.ts';
import { MemoryPlans } from './memory-plans.ts';

let nowMs = monthMs;
const ports = { nowMs: () => nowMs, steadyMs: () => nowMs, report: () => assert.fail('nothing is wrong') };
const bench: PlanBench = {
  isolates: [new MemoryPlans(ports)],
  setNow: (next) => {
    nowMs = next;
  },
  heldMax: () => 0,
};

planSuite('memory', () => bench, { runs: 100 });

describe('the memory of plans', () => {
  const bounds = { plansMax: 10, cellsMax: 4, monthsMax: 20 };
  const quota = { burst: null, minute: null, month: 3 };

  it('is bounded, and says so when it has to forget a month (M2)', () => {
    const troubles: Trouble[] = [];
    const clocks = { nowMs: () => monthMs, steadyMs: () => monthMs };
    const plans = new MemoryPlans({ ...clocks, report: (trouble) => troubles.push(trouble) }, bounds);
    for (let count = 0; count < 30; count++) plans.take(`a${count}`, quota, 1);
    assert.deepEqual(troubles, []);
    for (let count = 30; count < 1_000; count++) plans.take(`a${count}`, quota, 1);
    assert.equal(plans.size, bounds.plansMax + bounds.cellsMax + bounds.monthsMax);
    assert.deepEqual(new Set(troubles), new Set(['month_forgotten']));
  });

  it('cannot be made to forget a minute, or a month, by others (M1)', () => {
    const plans = new MemoryPlans(ports, { ...bounds, cellsMax: 1 });
    nowMs = monthMs;
    for (let count = 0; count < 3; count++) assert.ok(plans.take('mine', { ...quota, minute: 3 }, 1).allowed);
    for (let count = 0; count < 15; count++) plans.take(`other ${count}`, onlyMinute(100), 1);
    assert.ok(!plans.take('mine', onlyMinute(3), 1).allowed);
    nowMs += 80_000;
    assert.ok(plans.take('mine', onlyMinute(3), 1).allowed);
    for (let count = 0; count < 15; count++) plans.take(`other ${count}`, onlyMinute(100), 1);
    assert.ok(!plans.take('mine', quota, 1).allowed);
    assert.ok(plans.take('a stranger', quota, 1).allowed, 'another’s month is nobody else’s');
  });

  it('counts minutes by the steady clock, whatever the wall says, and months by the calendar', () => {
    const clock = { nowMs: monthMs + 7_200_000, steadyMs: monthMs };
    const troubles: Trouble[] = [];
    const report = (trouble: Trouble): void => void troubles.push(trouble);
    const plans = new MemoryPlans({ nowMs: () => clock.nowMs, steadyMs: () => clock.steadyMs, report });
    const plan = { burst: null, minute: 2, month: 3 };
    const isAllowed = () => plans.take('a', plan, 1).allowed;
    assert.deepEqual([isAllowed(), isAllowed(), isAllowed()], [true, true, false]);
    clock.nowMs -= 3_600_000;
    clock.steadyMs += 70_000;
    const last = plans.take('a', plan, 1);
    assert.ok(last.allowed, 'the minute is over');
    assert.ok(!isAllowed(), 'the month is not');
    plans.giveBack('a', last, 1);
    assert.ok(isAllowed(), 'what is given back counts in neither');
    assert.deepEqual(troubles, []);
  });
});
