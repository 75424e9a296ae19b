/** What a run measured, from its history and its marks. Pure. Times are milliseconds. */
import { type AccountId, shards } from '@local-plus/contracts';
import type { Mark } from './faults/index.ts';
import { type Call, endOf, startOf } from './history.ts';
import { limits } from './limits.ts';

/** Samples of each kind, in the order in which they happened. */
export interface Samples {
  /** From the SIGKILL of a process until the first answer to a write that was sent to one of its shards afterwards: of those that others had replaced … */
  readonly takeOver: number[];
  /** … and of those that were back before. */
  readonly backFirst: number[];
  /** The longest call on a shard of a process that was asked to end, while it did. */
  readonly handOverCall: number[];
  /** How long a group of shards was served by nobody, as the process that gave it away says. */
  readonly handOverPause: number[];
  /** From when Postgres accepted connections again until the first answer to a write. */
  readonly postgresBack: number[];
}

export interface Figures {
  readonly calls: number;
  readonly attempts: number;
  /** By status and code. */
  readonly answers: Readonly<Record<string, number>>;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly samples: Samples;
  /** The longest time in which no write was answered at all, and the longest single call, its pauses included. */
  readonly longestSilenceMs: number;
  readonly longestCallMs: number;
}

export function figuresOf(calls: readonly Call[], marks: readonly Mark[], handOverPause: number[]): Figures {
  const answers: Record<string, number> = {};
  const outcomes: Record<string, number> = {};
  let attempts = 0;
  for (const call of calls) {
    attempts += call.attempts.length;
    count(outcomes, call.outcome);
    for (const { status, code } of call.attempts)
      count(answers, status === 0 ? `no answer: ${code}` : `${status} ${code ?? ''}`.trim());
  }
  const writes = calls.filter(({ operation, outcome }) => operation !== 'balance' && isAnswer(outcome));
  const answeredMs = writes.map(endOf).sort((a, b) => a - b);
  return {
    calls: calls.length,
    attempts,
    answers,
    outcomes,
    samples: {
      takeOver: deaths(writes, marks, (backMs) => backMs >= limits.replacedMs),
      backFirst: deaths(writes, marks, (backMs) => backMs < limits.replacedMs),
      handOverCall: handOvers(writes, marks),
      handOverPause,
      postgresBack: marks.flatMap((mark) => (mark.kind === 'postgres-back' ? firstAfter(answeredMs, mark.atMs) : [])),
    },
    longestSilenceMs: Math.max(0, ...answeredMs.slice(1).map((atMs, index) => atMs - (answeredMs[index] as number))),
    longestCallMs: writes.reduce((longest, call) => Math.max(longest, endOf(call) - startOf(call)), 0),
  };
}

function deaths(writes: readonly Call[], marks: readonly Mark[], isMeant: (backMs: number) => boolean): number[] {
  return marks.flatMap((mark) => {
    if (mark.kind !== 'core-killed' || !isMeant(mark.backMs) || !mark.shards?.length) return [];
    const lost = new Set(mark.shards);
    const answers = writes.filter(
      (call) =>
        (call.attempts.at(-1)?.sentMs ?? 0) >= mark.atMs && lost.has(shards.shardOf(call.walletId as AccountId)),
    );
    return firstAfter(
      answers.map(endOf).sort((a, b) => a - b),
      mark.atMs,
    );
  });
}

function handOvers(writes: readonly Call[], marks: readonly Mark[]): number[] {
  return marks.flatMap((mark) => {
    if (mark.kind !== 'core-terminated' || !mark.shards?.length) return [];
    const left = marks.find(
      (other) => other.kind === 'core-left' && other.core === mark.core && other.atMs > mark.atMs,
    );
    const given = new Set(mark.shards);
    const beside = writes.filter(
      (call) =>
        endOf(call) > mark.atMs &&
        startOf(call) < (left?.atMs ?? mark.atMs) &&
        given.has(shards.shardOf(call.walletId as AccountId)),
    );
    return beside.length === 0
      ? []
      : [beside.reduce((longest, call) => Math.max(longest, endOf(call) - startOf(call)), 0)];
  });
}

function firstAfter(sortedMs: readonly number[], fromMs: number): number[] {
  const first = sortedMs.find((atMs) => atMs > fromMs);
  return first === undefined ? [] : [first - fromMs];
}

function isAnswer(outcome: Call['outcome']): boolean {
  return outcome === 'ok' || outcome === 'refused';
}

function count(counts: Record<string, number>, what: string): void {
  counts[what] = (counts[what] ?? 0) + 1;
}
