/** A nonce passes once, whatever the clock does; memory stays bounded. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ReplayGuard } from './replays.ts';

const bounds = { windowMs: 30_000, groupMs: 1_000, noncesMax: 1_000 };
const startMs = 1_764_000_000_000;

describe('the replay guard', () => {
  it('admits a nonce once, for as long as its time is inside the window', () => {
    const guard = new ReplayGuard(bounds);
    assert.equal(guard.admit('nonce-a', startMs, startMs), 'fresh');
    for (const laterMs of [0, 1, 15_000, 29_999, 30_000]) {
      assert.equal(guard.admit('nonce-a', startMs, startMs + laterMs), 'replayed', `${laterMs} ms later`);
    }
    assert.equal(guard.admit('nonce-b', startMs, startMs + 30_000), 'fresh');
  });

  it('remembers a nonce from the future until its time has passed, too', () => {
    const guard = new ReplayGuard(bounds);
    assert.equal(guard.admit('n', startMs + 30_000, startMs), 'fresh');
    assert.equal(guard.admit('n', startMs + 30_000, startMs + 60_000), 'replayed');
  });

  it('forgets what can no longer be signed', () => {
    const guard = new ReplayGuard(bounds);
    for (let index = 0; index < 100; index++) guard.admit(`n${index}`, startMs, startMs);
    assert.equal(guard.size, 100);
    guard.admit('later', startMs + 40_000, startMs + 40_000);
    assert.equal(guard.size, 1);
  });

  it('admits nothing past its bound, and goes on when there is room', () => {
    const guard = new ReplayGuard({ ...bounds, noncesMax: 2 });
    assert.deepEqual(
      ['a', 'b', 'c'].map((nonce) => guard.admit(nonce, startMs, startMs)),
      ['fresh', 'fresh', 'full'],
    );
    assert.equal(guard.admit('a', startMs, startMs), 'replayed');
    assert.equal(guard.admit('d', startMs + 40_000, startMs + 40_000), 'fresh');
  });

  it('does not believe an old signature again after a step of the clock, and believes fresh ones at once', () => {
    const dayMs = 86_400_000;
    const guard = new ReplayGuard(bounds);
    assert.equal(guard.admit('before', startMs, startMs), 'fresh');
    // The clock jumps a day ahead: everything is forgotten. Then it jumps back.
    assert.equal(guard.admit('ahead', startMs + dayMs, startMs + dayMs), 'fresh');
    assert.equal(guard.admit('before', startMs, startMs + 5_000), 'replayed');
    assert.equal(guard.admit('after', startMs + 5_000, startMs + 5_000), 'fresh');
    assert.equal(guard.admit('ahead', startMs + dayMs, startMs + dayMs), 'replayed');
  });
});
