import assert from 'node:assert/strict';
import { it } from 'node:test';
import { pausesOf, refusedOf } from './core-logs.ts';

it('the logs of core tell of pauses, and of replaced processes by the way they learned of it', () => {
  const lines = [
    '{"level":"info","to":1,"shards":32,"pauseMs":22,"event":"shards were handed over"}',
    '{"level":"warn","pauseMs":500,"event":"the sweep of tiers pauses"}',
    '{"level":"error","writerId":1,"event":"superseded: another process owns this writer now"}',
    '{"level":"error","event":"another process owns this writer now"}',
    '{"level":"error","writerId":1,"event":"another process took over from this one"}',
    '',
  ];
  assert.deepEqual(pausesOf(lines), [22]);
  assert.deepEqual(refusedOf(lines), { batches: 1, beats: 1 });
});
