/** Virtual time: everything happens once, in the order of time, and of arrangement where times are equal. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Clockwork } from './clockwork.ts';
import { Random } from './random.ts';

const never = (): boolean => false;

describe('the clockwork', () => {
  it('lets things happen in the order of time, and of arrangement, however far ahead they are', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = new Random(seed, 1);
      const clockwork = new Clockwork(null);
      const happened: { readonly atMs: number; readonly number: number }[] = [];
      const arranged: { readonly atMs: number; readonly number: number }[] = [];
      const arrange = (): void => {
        // About the length of the wheel's revolution, well within it, far beyond it, and now.
        const delayMs = random.pick([random.below(3_000), random.below(50), random.below(60_000), 0]);
        const what = { atMs: clockwork.nowMs + delayMs, number: arranged.length };
        arranged.push(what);
        clockwork.after(delayMs, () => {
          assert.equal(clockwork.nowMs, what.atMs, `seed ${seed}`);
          happened.push(what);
          if (arranged.length < 2_000) for (let more = random.below(3); more > 0; more--) arrange();
        });
      };
      for (let count = 0; count < 300; count++) arrange();
      await clockwork.run(Number.POSITIVE_INFINITY, never);
      const expected = arranged.toSorted((one, other) => one.atMs - other.atMs || one.number - other.number);
      assert.deepEqual(happened, expected, `seed ${seed}`);
      assert.equal(clockwork.happenings, arranged.length);
    }
  });

  it('stops where it is told to, and goes on from there', async () => {
    const clockwork = new Clockwork(null);
    const happened: string[] = [];
    const at = (delayMs: number, name: string) => clockwork.after(delayMs, () => happened.push(name));
    at(10, 'ten');
    at(20, 'twenty');
    at(50_000, 'much later');
    await clockwork.run(10, never);
    assert.deepEqual([happened, clockwork.nowMs], [['ten'], 10]);
    // What is arranged in between comes in between, also before what was looked at already.
    at(5, 'fifteen');
    await clockwork.run(40_000, never);
    assert.deepEqual([happened, clockwork.nowMs], [['ten', 'fifteen', 'twenty'], 20]);
    at(1, 'twenty-one');
    await clockwork.run(Number.POSITIVE_INFINITY, () => happened.includes('twenty-one'));
    assert.equal(clockwork.nowMs, 21);
    await clockwork.run(Number.POSITIVE_INFINITY, never);
    assert.deepEqual(happened.slice(3), ['twenty-one', 'much later']);
  });

  it('passes over what was called off, and time does not stand still or jump for it', async () => {
    const clockwork = new Clockwork(null);
    const happened: number[] = [];
    const arrange = (delayMs: number) => clockwork.after(delayMs, () => happened.push(clockwork.nowMs));
    for (const delayMs of [5, 30_000, 30_001]) arrange(delayMs).run = null;
    arrange(7);
    await clockwork.run(Number.POSITIVE_INFINITY, never);
    assert.deepEqual([happened, clockwork.nowMs, clockwork.happenings], [[7], 7, 1]);
    arrange(1);
    await clockwork.run(Number.POSITIVE_INFINITY, never);
    assert.deepEqual(happened, [7, 8]);
  });

  it('waits for what was stirred before anything else happens', async () => {
    const clockwork = new Clockwork(null);
    const happened: string[] = [];
    clockwork.after(1, () => {
      clockwork.stir();
      Promise.resolve()
        .then(() => undefined)
        .then(() => happened.push('continuation'));
    });
    clockwork.after(1, () => happened.push('next'));
    await clockwork.run(Number.POSITIVE_INFINITY, never);
    assert.deepEqual(happened, ['continuation', 'next']);
  });
});
