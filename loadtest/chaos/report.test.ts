import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { notRunSentences, type RunReport, recordRun } from './report.ts';

function run(seed: number, violations: number): RunReport {
  return {
    startedAt: `2026-01-0${seed}T00:00:00.000Z`,
    command: `npm run chaos -- --seed ${seed}`,
    seed,
    seconds: 10,
    ratePerS: 60,
    machine: { processor: '2 × some' },
    struck: { 'core-kill': 3 },
    notRun: { 'disk-full': 'a disk of its own cannot be mounted here' },
    killed: { core: 3 },
    zombies: 1,
    moves: 40,
    figures: {
      calls: 100,
      attempts: 120,
      answers: { '201': 90, '503 unavailable': 20 },
      outcomes: { ok: 90 },
      samples: { takeOver: [3_000, 3_200], backFirst: [], handOverCall: [], handOverPause: [30], postgresBack: [] },
      longestSilenceMs: seed * 1_000,
      longestCallMs: 4_000,
    },
    unknown: { asked: 5, askedHappened: 2, left: 1, leftHappened: 1 },
    settleMs: 700,
    checks: [{ name: 'I1', looked: 10, violations, first: violations > 0 ? 'something' : null }],
  };
}

it('a recorded run stands beside those before, and all of them are added up', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'chaos-report-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  // An older run knows nothing of partitions.
  recordRun(dir, run(1, 0));
  const path = recordRun(dir, { ...run(2, 4), partitioned: 3, refused: { batches: 2, beats: 1 } });
  const text = readFileSync(path, 'utf8');
  for (const line of [
    '| I1 | 20 | 4 | something |',
    '| calls | 200 |',
    '| SIGKILLs of core | 6 |',
    '| processes cut off by lost packets, replaced, healed | 3 |',
    '| late batches of replaced processes, refused by their epoch | 2 |',
    '| longest time without any answered write, ms | 2,000 |',
    '| 201 | 180 |',
    '### How long, ms (npm run chaos -- --seed 2)',
  ]) {
    assert.ok(text.includes(line), line);
  }
  assert.match(text, /\| core-kill \| 6 \|/);
  assert.match(text, /\| disk-full \| not run: a disk of its own cannot be mounted here \|/);
  const { runs } = JSON.parse(readFileSync(join(dir, 'chaos.json'), 'utf8')) as { runs: RunReport[] };
  assert.deepEqual(
    runs.map(({ seed }) => seed),
    [1, 2],
  );
});

it('what was left out is one sentence for each reason', () => {
  const notRun = {
    'core-isolated': 'it is forbidden',
    'disk-full': 'there is no disk',
    'core-without-peers': 'it is forbidden',
  };
  assert.deepEqual(notRunSentences({ notRun }), [
    'Not run: core-isolated, core-without-peers, because it is forbidden.',
    'Not run: disk-full, because there is no disk.',
  ]);
});
