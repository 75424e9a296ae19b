/** How long a stage takes, told times only. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Pace, type Stage, waitMs } from './pace.ts';

describe('the pace of a stage', () => {
  it('is nothing before the first reply, then what that took', () => {
    const pace = new Pace();
    assert.equal(pace.statementMs(null, 100), 0);
    pace.took(100, 140);
    assert.equal(pace.statementMs(null, 140), 40);
  });

  it('follows a change within a few statements', () => {
    const pace = new Pace();
    let nowMs = 0;
    const take = (ms: number): void => {
      pace.took(nowMs, nowMs + ms);
      nowMs += ms;
    };
    for (let times = 0; times < 20; times++) take(10);
    assert.equal(Math.round(pace.statementMs(null, nowMs)), 10);
    for (let times = 0; times < 8; times++) take(100);
    assert.ok(pace.statementMs(null, nowMs) > 90);
    for (let times = 0; times < 8; times++) take(10);
    assert.ok(pace.statementMs(null, nowMs) < 20);
  });

  it('counts a statement that was sent behind another from the reply of that one', () => {
    const pace = new Pace();
    pace.took(0, 40);
    pace.took(1, 80);
    assert.equal(pace.statementMs(null, 80), 40);
  });

  it('is no shorter than what is in the air has taken already', () => {
    const pace = new Pace();
    pace.took(0, 10);
    assert.equal(pace.statementMs(10, 15), 10);
    assert.equal(pace.statementMs(10, 510), 500);
    assert.equal(pace.statementMs(5, 510), 500, 'the time behind its predecessor is not its own');
  });

  it('gives the wait: statements in the air and those to come, each of that time', () => {
    const pace = new Pace();
    pace.took(0, 20);
    const stage: Stage = { pace, flightCount: 2, oldestSentMs: 20, perStatement: 100 };
    assert.equal(waitMs(stage, 0, 25), 40);
    assert.equal(waitMs(stage, 1_000, 25), 240);
    assert.equal(waitMs({ ...stage, flightCount: 0, oldestSentMs: null }, 50, 25), 10);
  });
});
