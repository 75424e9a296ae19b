import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { limiterSuite } from '../../test/limiter-suite.ts';
import { edgeLimits } from '../limits.ts';
import { MemoryLimiter } from './memory-limiter.ts';

const startMs = 1_800_000_000_000;
const shared = new MemoryLimiter();
limiterSuite('memory', () => shared, { runs: 300 });

describe('the memory of the limiter', () => {
  it('is bounded: 10,000 addresses fit, 200,000 do not make it grow (M2)', () => {
    const limiter = new MemoryLimiter();
    for (let at = 0; at < 10_000; at++)
      assert.ok(limiter.take(`2001:db8:${at.toString(16)}:0::/64`, 100, startMs).allowed);
    assert.equal(limiter.size, 10_000);
    for (let at = 0; at < 200_000; at++) limiter.take(`2001:db9:${at.toString(16)}:0::/64`, 100, startMs);
    assert.ok(limiter.size <= edgeLimits.windowsMax + edgeLimits.cellsMax);
  });

  it('cannot be flushed to get over the limit (M1)', () => {
    const limiter = new MemoryLimiter({ windowsMax: 8, cellsMax: 4 });
    let allowed = 0;
    for (let round = 0; round < 1_000; round++) {
      if (limiter.take('victim', 5, startMs).allowed) allowed++;
      for (let other = 0; other < 20; other++) limiter.take(`other-${round}-${other}`, 5, startMs);
    }
    assert.ok(allowed <= 5);
  });

  it('never lets a key over, whatever the others do and when (M1)', () => {
    const event = fc.record({ key: fc.nat(12), passMs: fc.integer({ min: 0, max: 9_000 }) });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), (events) => {
        const limiter = new MemoryLimiter({ windowsMax: 3, cellsMax: 2 });
        const allowedAt = new Map<number, number[]>();
        let nowMs = startMs;
        for (const { key, passMs } of events) {
          nowMs += passMs;
          if (!limiter.take(`k${key}`, 3, nowMs).allowed) continue;
          const times = [...(allowedAt.get(key) ?? []).filter((atMs) => atMs > nowMs - 60_000), nowMs];
          allowedAt.set(key, times);
          assert.ok(times.length <= 3, `key ${key} is over at ${nowMs}`);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('forgets a flood after seventy seconds', () => {
    const limiter = new MemoryLimiter({ windowsMax: 4, cellsMax: 1 });
    for (let at = 0; at < 1_000; at++) limiter.take(`flood-${at}`, 3, startMs);
    assert.ok(!limiter.take('stranger', 3, startMs).allowed);
    assert.ok(limiter.take('stranger', 3, startMs + 70_000).allowed);
  });
});
