import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { seededRandom } from '../../test/random.ts';
import { type AttemptPorts, attempts } from './attempts.ts';

const never = Number.POSITIVE_INFINITY;

/** Time that passes when nobody has anything to do before. */
class Timeline {
  nowMs = 0;
  #due: { readonly atMs: number; readonly go: () => void }[] = [];

  until(atMs: number): Promise<void> {
    return new Promise((go) => this.#due.push({ atMs, go }));
  }

  async run(): Promise<void> {
    for (await turn(); this.#due.length > 0; await turn()) {
      const [next, ...later] = this.#due.sort((one, other) => one.atMs - other.atMs);
      this.#due = later;
      this.nowMs = next?.atMs ?? this.nowMs;
      next?.go();
    }
  }
}

test('tries until it is not overtaken, and says so when it always is', async () => {
  let tries = 0;
  const overtaken = (times: number) => async () => (++tries > times ? { tries } : null);
  assert.deepEqual(await attempts(4, never, overtaken(3)), { tries: 4 });
  tries = 0;
  await assert.rejects(attempts(4, never, overtaken(4)), { name: 'ProblemError', code: 'overloaded' });
  assert.equal(tries, 4);
  const broken = new Error('broken');
  await assert.rejects(
    attempts(4, never, () => Promise.reject(broken)),
    broken,
  );
});

test('begins none after the deadline', async () => {
  let [nowMs, tries] = [0, 0];
  const ports = {
    nowMs: () => nowMs,
    pause: async (ms: number) => {
      nowMs += ms;
    },
    random: () => 0.5,
  };
  const overtaken = async () => {
    nowMs += 10;
    tries++;
    return null;
  };
  // 10 ms each, and pauses of 10, 20 and 40 between them.
  await assert.rejects(attempts(20, 105, overtaken, ports), { code: 'overloaded' });
  assert.deepEqual([tries, nowMs], [4, 110]);
});

test('lets all through who change the same thing at once, far more than there are tries, whatever a statement takes', async () => {
  const [changes, triesMax] = [80, 20];
  for (const statementMs of [0.2, 2, 10]) {
    const time = new Timeline();
    const ports: AttemptPorts = {
      nowMs: () => time.nowMs,
      pause: (ms) => time.until(time.nowMs + ms),
      random: seededRandom(1),
    };
    let [version, freeMs] = [0, 0];
    /** One after the other, as whoever waits for the lock of one row. */
    const statement = async <Result>(run: () => Result): Promise<Result> => {
      freeMs = Math.max(freeMs, time.nowMs) + statementMs;
      await time.until(freeMs);
      return run();
    };
    const change = async () => {
      const seen = await statement(() => version);
      return statement(() => (seen === version ? ++version : null));
    };
    const all = Promise.all(Array.from({ length: changes }, () => attempts(triesMax, never, change, ports)));
    await Promise.all([all, time.run()]);
    assert.equal(version, changes, `${statementMs} ms`);
  }
});
