import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Question } from './question.ts';

const givenUpMs = 1_000;
const never = (): Promise<void> => new Promise(() => undefined);

function questionAt(startMs = 0) {
  const clock = { nowMs: startMs };
  const question = new Question<'age' | 'name'>({ steadyMs: () => clock.nowMs, givenUpMs });
  const behind: Promise<unknown>[] = [];
  let asked = 0;
  const ask = (reason: 'age' | 'name', everyMs: number, work: () => Promise<void> = async () => undefined) =>
    question.ask(
      reason,
      everyMs,
      (promise) => behind.push(promise),
      () => {
        asked++;
        return work();
      },
    );
  return { clock, question, behind, ask, asked: () => asked };
}

describe('a question', () => {
  it('is one at a time, whatever the reason (Q1)', async () => {
    const { ask, asked, behind } = questionAt();
    const { promise, resolve } = Promise.withResolvers<void>();
    const first = ask('age', 0, () => promise);
    assert.equal(ask('age', 0), first);
    assert.equal(ask('name', 0), first);
    assert.equal(asked(), 1);
    resolve();
    await Promise.all(behind);
    assert.equal(first?.isOver, true);
    assert.notEqual(ask('age', 0), first);
    assert.equal(asked(), 2);
  });

  it('that never ends is given up, and cannot end the next one (Q2)', async () => {
    const { ask, asked, clock, behind } = questionAt();
    const { promise, resolve } = Promise.withResolvers<void>();
    const lost = ask('age', 0, () => promise);
    clock.nowMs = givenUpMs - 1;
    assert.equal(ask('age', 0), lost);
    clock.nowMs = givenUpMs;
    const next = ask('age', 0, never);
    assert.notEqual(next, lost);
    resolve();
    await behind[0];
    assert.deepEqual([lost?.isOver, next?.isOver], [true, false]);
    assert.equal(ask('age', 0), next);
    assert.equal(asked(), 2);
  });

  it('begins at most every so often for one reason, and another reason does not wait for that (Q3)', async () => {
    const { ask, asked, clock, behind } = questionAt();
    ask('age', 100);
    await Promise.all(behind);
    clock.nowMs = 99;
    assert.equal(ask('age', 100), null);
    assert.notEqual(ask('name', 100), null);
    await Promise.all(behind);
    clock.nowMs = 100;
    assert.notEqual(ask('age', 100), null);
    assert.equal(asked(), 3);
  });

  it('is asked by a clock that went back, too', async () => {
    const { ask, asked, clock, behind } = questionAt(10_000);
    ask('age', 100);
    await Promise.all(behind);
    clock.nowMs = 9_999;
    const lost = ask('age', 100, never);
    clock.nowMs = 0;
    assert.notEqual(ask('age', 100), lost);
    assert.equal(asked(), 3);
  });

  it('gets its answer seen by who looks, within a budget (Q4)', async () => {
    const { ask, question, behind } = questionAt();
    const { promise, resolve } = Promise.withResolvers<void>();
    const underway = ask('age', 0, () => promise);
    await question.answered(underway, 5);
    assert.equal(underway?.isOver, false);
    const seen = question.answered(underway, 60_000);
    resolve();
    await seen;
    assert.equal(underway?.isOver, true);
    await question.answered(null, 60_000);
    await Promise.all(behind);
  });
});
