import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Sample, secondsOf, slowSeconds } from '../scenarios/seconds.ts';

/** Looks at half seconds: half a processor's second of core in each, twice as much from the third second on; the machine slows down. */
const samples: Sample[] = Array.from({ length: 13 }, (_, look) => ({
  atMs: 900 + look * 500,
  serverS: look <= 5 ? look * 0.5 : look - 2.5,
  postgresS: look * 0.1,
  housekeepingS: look <= 6 ? 0 : (look - 6) * 0.02,
  machineS: look * 0.75,
  buffers: Math.max(0, look - 6) * 40,
  images: look * 5,
  yards: look + 1,
  yardsMs: look <= 6 ? look : 2 * look - 6,
}));

test('what was used in each second is taken from the looks around its ends', () => {
  const seconds = secondsOf(samples, 1_000, [100, 200, 50]);
  const exact = seconds.map(({ earns, serverS, buffers }) => [earns, serverS.toFixed(6), buffers.toFixed(6)]);
  assert.deepEqual(exact, [
    [100, '1.000000', '0.000000'],
    [200, '1.000000', '0.000000'],
    [50, '1.600000', '8.000000'],
  ]);
});

test('of what comes after the last look nothing is known', () => {
  const [last] = secondsOf(samples, 6_400, [100]);
  assert.deepEqual([last?.serverS.toFixed(6), last?.machineS.toFixed(6), last?.buffers], ['1.000000', '0.750000', 40]);
});

test('the slowest seconds stand beside the others', () => {
  const { rows } = slowSeconds(secondsOf(samples, 900, [100, 100, 100, 50, 100]));
  assert.deepEqual(rows, [
    ['the slowest 5 %', '1', '50', '40,000.0', '4,000.0', '800.0', '1.50', '2,000', '100 %', '10'],
    ['the others', '4', '100', '13,750.0', '2,000.0', '100.0', '1.50', '1,250', '25 %', '10'],
  ]);
});
