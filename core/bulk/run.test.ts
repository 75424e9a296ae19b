/** The window, the order, the patience and the end of one bulk request, over a ledger that does what the test says. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { AccountRequest, Outcome, PostedRow } from '@local-plus/actors';
import { type bulk, problem, type RequestId } from '@local-plus/contracts';
import { ProblemError } from '../platform/http/index.ts';
import { bulkLimits } from './limits.ts';
import type { Unit } from './plan.ts';
import type { BulkLedger, LineContext, LinePart } from './ports.ts';
import { BulkRun } from './run.ts';

const requestId = '01938d5c-7e3a-7c4b-8a11-9d0c1e2f3a4b' as RequestId;
const context = { requestId, traceparent: null, context: { merchantId: null } } as unknown as LineContext;

interface Offered {
  readonly key: string;
  readonly request: AccountRequest;
  answer(outcome?: Outcome): void;
}

const applied: Outcome = {
  type: 'posted',
  row: {} as PostedRow,
  transactionId: '' as never,
  replayed: false,
  also: [],
};

function line(index: number, walletId = `w${index}`): Unit {
  const own = { wallet_id: walletId, kind: 'earn', amount: 1, idempotency_key: `k${index}` } as const;
  return { type: 'line', index, line: own as bulk.BulkLine };
}

/** A ledger whose mailboxes are full for `fullFor` offers of each line. */
function stage(units: readonly Unit[], options: { fullFor?: number; inFlightMax?: number; deadlineMs?: number } = {}) {
  const offered: Offered[] = [];
  const offers = new Map<string, number>();
  const pauses: number[] = [];
  let nowMs = 0;
  const ledger = {
    partOf({ wallet_id, idempotency_key }: bulk.BulkLine): LinePart {
      if (wallet_id === 'missing') throw new ProblemError('not_found');
      if (wallet_id === 'broken') throw new Error('a bug');
      return { part: { facts: { idempotencyKey: idempotency_key } } as unknown as LinePart['part'], unit: 'PTS' };
    },
    post(request: AccountRequest, answer: (outcome: Outcome) => void) {
      const key = request.facts.idempotencyKey;
      const count = (offers.get(key) ?? 0) + 1;
      offers.set(key, count);
      if (count <= (options.fullFor ?? 0)) return answer({ type: 'overloaded' });
      offered.push({ key, request, answer: (outcome = applied) => answer(outcome) });
    },
    stored: async () => [],
    transactionJson: () => '{}',
    refusalProblem: () => problem('insufficient_funds', requestId),
    failures: {
      key_reused: 'idempotency_key_reused',
      overloaded: 'overloaded',
      expired: 'deadline_exceeded',
      unavailable: 'unavailable',
      failed: 'internal',
    },
  } as unknown as BulkLedger;
  const failures: unknown[] = [];
  const run = new BulkRun(
    {
      ledger,
      limits: { ...bulkLimits, linesInFlightMax: options.inFlightMax ?? 4, lineBudgetMs: 5_000 },
      monotonicMs: () => nowMs,
      pause: async (ms) => {
        pauses.push(ms);
        nowMs += ms;
      },
      count: () => undefined,
      failed: (error) => failures.push(error),
    },
    units,
    context,
    options.deadlineMs ?? 10_000,
  );
  const setNow = (ms: number): void => {
    nowMs = ms;
  };
  return { run, offered, offers, pauses, failures, setNow, keys: () => offered.map(({ key }) => key) };
}

function statuses(piece: string | null): string[] {
  return (piece ?? '')
    .trimEnd()
    .split('\n')
    .map((text) => {
      const { index, status } = JSON.parse(text) as { index: number; status: number };
      return `${index} ${status}`;
    });
}

const turns = (): Promise<void> => pause(5);

describe('a run of bulk', () => {
  it('begins a bounded number of lines, and more only when their outcomes are taken', async () => {
    const { run, offered, keys } = stage(Array.from({ length: 7 }, (_, index) => line(index)));
    const piece = run.next();
    await turns();
    assert.deepEqual(keys(), ['k0', 'k1', 'k2', 'k3']);
    for (const at of [3, 1, 2]) offered[at]?.answer();
    await turns();
    assert.equal(offered.length, 4, 'the first is not settled: nothing is written, nothing is begun');
    offered[0]?.answer();
    assert.deepEqual(statuses(await piece), ['0 201', '1 201', '2 201', '3 201']);
    await turns();
    assert.deepEqual(keys().slice(4), ['k4', 'k5', 'k6']);
    for (const one of offered.slice(4)) one.answer();
    assert.deepEqual(statuses(await run.next()), ['4 201', '5 201', '6 201']);
    assert.equal(await run.next(), null);
  });

  it('offers a full ledger the same line again, with pauses, and keeps the order of the wallet', async () => {
    const { run, keys, pauses, offered } = stage([line(0, 'w'), line(1, 'w')], { fullFor: 3 });
    const piece = run.next();
    await turns();
    assert.deepEqual(keys(), ['k0', 'k1']);
    assert.deepEqual(pauses, [25, 50, 100, 25, 50, 100]);
    for (const one of offered) one.answer();
    assert.deepEqual(statuses(await piece), ['0 201', '1 201']);
  });

  it('gives up after so many offers, or at the deadline, whichever is first', async () => {
    const patient = stage([line(0)], { fullFor: Number.POSITIVE_INFINITY, deadlineMs: 100_000 });
    assert.deepEqual(statuses(await patient.run.next()), ['0 429']);
    assert.deepEqual([patient.offers.get('k0'), patient.pauses.at(-1)], [8, 400]);
    const late = stage([line(0)], { fullFor: Number.POSITIVE_INFINITY, deadlineMs: 60 });
    assert.deepEqual(statuses(await late.run.next()), ['0 503']);
    assert.equal(late.offers.get('k0'), 2);
  });

  it('does not offer what is past the deadline', async () => {
    const { run, offered, setNow } = stage([line(0)], { deadlineMs: 50 });
    setNow(50);
    assert.deepEqual(statuses(await run.next()), ['0 503']);
    assert.equal(offered.length, 0);
  });

  it('answers each line for itself, whatever goes wrong with one', async () => {
    const units: Unit[] = [
      line(0, 'missing'),
      line(1, 'broken'),
      { type: 'faulty', index: 2, fault: { code: 'invalid_json' } },
    ];
    const { run, failures, offered } = stage([...units, line(3)]);
    assert.deepEqual(statuses(await run.next()), ['0 404', '1 500', '2 400']);
    offered[0]?.answer({ type: 'unavailable' });
    assert.deepEqual(statuses(await run.next()), ['3 503']);
    assert.equal(failures.length, 1);
  });

  it('that is stopped offers nothing more, and ends when what was accepted has', async () => {
    const { run, offered, keys } = stage(Array.from({ length: 9 }, (_, index) => line(index)));
    const piece = run.next();
    await turns();
    let isOver = false;
    const over = run.stop().then(() => {
      isOver = true;
    });
    await piece;
    for (const one of offered.slice(0, 3)) one.answer();
    await turns();
    assert.equal(isOver, false);
    offered[3]?.answer();
    await over;
    assert.deepEqual(keys(), ['k0', 'k1', 'k2', 'k3']);
  });

  it('that is stopped while a line waits for room does not offer it again', async () => {
    const { run, offers } = stage([line(0)], { fullFor: Number.POSITIVE_INFINITY });
    const piece = run.next();
    await run.stop();
    await piece;
    assert.ok((offers.get('k0') ?? 0) <= 1);
  });
});
