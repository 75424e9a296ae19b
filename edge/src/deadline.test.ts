import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withDeadline } from './deadline.ts';

const never = new Promise<string>(() => undefined);

describe('a wait with an end', () => {
  it('brings what comes in time, good or bad', async () => {
    const late = () => assert.fail('it came in time');
    assert.equal(await withDeadline(60_000, Promise.resolve('a'), late), 'a');
    await assert.rejects(withDeadline(60_000, Promise.reject(new RangeError('a')), late), RangeError);
  });

  it('brings what is said instead of what is late, good or bad', async () => {
    assert.equal(await withDeadline(1, never, () => 'late'), 'late');
    const throws = () => {
      throw new RangeError('late');
    };
    await assert.rejects(withDeadline(1, never, throws), RangeError);
  });

  it('does not hear of what fails after its end', async () => {
    const { promise, reject } = Promise.withResolvers<string>();
    assert.equal(await withDeadline(1, promise, () => 'late'), 'late');
    // A rejection that nobody heard would end the test's process.
    reject(new Error('too late'));
    await new Promise((resolve) => setTimeout(resolve, 1));
  });
});
