import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AccountId, shards } from '@local-plus/contracts';
import type { Mark } from './faults/index.ts';
import { figuresOf } from './figures.ts';
import type { Attempt, Call } from './history.ts';

const lost = '01a1ffdf-8418-7c00-8898-c6feba307c5a';
const other = '01a1ffdf-8470-7aa8-82c9-5c3cfb3cb24c';

function attempt(sentMs: number, endedMs: number, status = 201): Attempt {
  return { sentMs, endedMs, status, code: status === 201 ? null : 'unavailable', isReplayed: false };
}

function earn(walletId: string, ...attempts: Attempt[]): Call {
  const outcome = attempts.at(-1)?.status === 201 ? 'ok' : 'unknown';
  const wish = { operation: 'earn', key: `${walletId} ${attempts[0]?.sentMs}`, walletId, amount: 1 } as const;
  return { ...wish, toWalletId: null, target: null, purpose: 'load', attempts, outcome, answer: {} };
}

describe('the figures', () => {
  const killed: Mark = {
    kind: 'core-killed',
    atMs: 1_000,
    core: 2,
    backMs: 5_000,
    shards: [shards.shardOf(lost as AccountId)],
  };
  const calls = [
    earn(lost, attempt(900, 950)),
    // Answered after the death, sent before it: it says nothing of who serves the shard now.
    earn(lost, attempt(990, 1_010)),
    earn(lost, attempt(1_100, 1_200, 503), attempt(4_200, 4_250)),
    earn(other, attempt(1_100, 1_110)),
    earn(other, attempt(1_300, 1_310, 503)),
  ];

  it('count from a death until the first answer on a shard of the dead', () => {
    const { samples } = figuresOf(calls, [killed], []);
    assert.deepEqual([samples.takeOver, samples.backFirst], [[3_250], []]);
    assert.deepEqual(figuresOf(calls, [{ ...killed, backMs: 300 }], []).samples.backFirst, [3_250]);
    assert.deepEqual(figuresOf(calls, [{ ...killed, shards: null }], []).samples.takeOver, []);
  });

  it('have the longest call on the shards of a process that was asked to end, while it did', () => {
    const asked: Mark = { ...killed, kind: 'core-terminated' };
    const left: Mark = { kind: 'core-left', core: 2, atMs: 1_500 };
    assert.deepEqual(figuresOf(calls, [asked, left], []).samples.handOverCall, [3_150]);
  });

  it('count from the return of Postgres until the first answered write', () => {
    const { samples } = figuresOf(calls, [{ kind: 'postgres-back', atMs: 1_150 }], []);
    assert.deepEqual(samples.postgresBack, [3_100]);
  });

  it('count calls, attempts, answers and silence', () => {
    const figures = figuresOf(calls, [], [7]);
    assert.deepEqual([figures.calls, figures.attempts, figures.samples.handOverPause], [5, 6, [7]]);
    assert.deepEqual(figures.answers, { '201': 4, '503 unavailable': 2 });
    assert.deepEqual(figures.outcomes, { ok: 4, unknown: 1 });
    assert.deepEqual([figures.longestSilenceMs, figures.longestCallMs], [3_140, 3_150]);
  });
});
