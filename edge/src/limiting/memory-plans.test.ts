import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { monthMs, onlyMinute, type PlanBench, planSuite } from '../../test/plan-suite.ts';
import type { Trouble } from '../ports.ts';
import { MemoryPlans } from './memory-plans.ts';

let nowMs = monthMs;
const ports = { nowMs: () => nowMs, report: () => assert.fail('nothing is wrong') };
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
    const plans = new MemoryPlans({ nowMs: () => monthMs, report: (trouble) => troubles.push(trouble) }, bounds);
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
});
