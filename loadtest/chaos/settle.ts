/**
 * L: once nothing is broken any more, everything settles. Asks again what nobody was told the end of, writes to every wallet,
 * and waits, within bounds, until nothing is open: each question is a check.
 */

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type CheckResult, Violations } from '../reconcile/checks.ts';
import type { Arguments } from './arguments.ts';
import { claimsOf } from './check/claims.ts';
import type { Caller } from './clients/caller.ts';
import { inTurns } from './clients/load.ts';
import type { Call, Wish } from './history.ts';
import { limits } from './limits.ts';
import type { Unfinished } from './stage/observer.ts';
import type { Stage } from './stage/stage.ts';

export interface Settled {
  readonly results: readonly CheckResult[];
  /** Calls that had no outcome; of these, how many were asked again, and how many of them had happened. */
  readonly unknown: number;
  readonly asked: number;
  readonly askedHappened: number;
  /** From the end of the last fault until nothing was open. */
  readonly settleMs: number;
}

const AT_A_TIME = 16;

export async function settle(
  stage: Stage,
  caller: Caller,
  walletIds: readonly string[],
  calls: readonly Call[],
  bounds: Pick<Arguments, 'settleMs' | 'breakFence'>,
): Promise<Settled> {
  const { settleMs } = bounds;
  const attemptsMax = bounds.breakFence ? limits.attemptsBrokenMax : limits.attemptsMax;
  const startedMs = performance.now();
  const back = new Violations('L every part is back');
  for (const part of [stage.postgres, stage.kafka, stage.edge, ...stage.cores]) {
    back.looked++;
    await part.isBack().catch((error: unknown) => back.add(String(error)));
  }
  const shared = await eventually(stage, settleMs, 'L the shards are shared evenly', ({ shares }) => {
    const counts = [...shares.values()];
    const isEven = counts.length === stage.cores.length && Math.max(...counts) - Math.min(...counts) <= 1;
    return isEven ? null : `after ${settleMs} ms the shards are ${describe(shares)}`;
  });

  const answered = new Violations('L what nobody was told the end of has one');
  const unknown = claimsOf(calls).filter(({ outcome }) => outcome === 'unknown');
  const asked = unknown.slice(0, Math.ceil(unknown.length * limits.settledShare));
  let askedHappened = 0;
  await inTurns(asked, AT_A_TIME, async ({ calls: [first] }) => {
    const call = await caller.call(wishOf(first as Call), 'settle', attemptsMax);
    answered.looked++;
    if (call.outcome === 'unknown' || call.outcome === 'rejected') answered.add(describeCall(call));
    if (call.outcome === 'ok' && call.attempts.at(-1)?.isReplayed === true) askedHappened++;
  });

  const served = new Violations('L every wallet is served');
  await inTurns(walletIds, AT_A_TIME, async (walletId) => {
    const wish: Wish = { operation: 'earn', key: randomUUID(), walletId, toWalletId: null, target: null, amount: 1 };
    const call = await caller.call(wish, 'probe', attemptsMax);
    served.looked++;
    if (call.outcome !== 'ok') served.add(describeCall(call));
  });
  const closed = await eventually(stage, settleMs, 'L no transfer is left open', ({ openTransfers }) =>
    openTransfers === 0 ? null : `after ${settleMs} ms ${openTransfers} are`,
  );
  const published = await eventually(stage, settleMs, 'L every batch is published', ({ unpublished }) =>
    unpublished === 0 ? null : `after ${settleMs} ms ${unpublished} are not`,
  );
  return {
    results: [back.result(), shared, answered.result(), served.result(), closed, published],
    unknown: unknown.length,
    asked: asked.length,
    askedHappened,
    settleMs: performance.now() - startedMs,
  };
}

/** @param fault null: it is as it should be */
async function eventually(
  { observer }: Stage,
  settleMs: number,
  name: string,
  fault: (unfinished: Unfinished) => string | null,
): Promise<CheckResult> {
  const check = new Violations(name);
  const endMs = performance.now() + settleMs;
  for (;;) {
    check.looked++;
    const unfinished = await observer.unfinished();
    const what = unfinished === null ? 'the database does not answer' : fault(unfinished);
    if (what === null) return check.result();
    if (performance.now() > endMs) {
      check.add(what);
      return check.result();
    }
    await delay(limits.pollMs);
  }
}

function wishOf({ operation, key, walletId, toWalletId, target, amount }: Call): Wish {
  return { operation, key, walletId, toWalletId, target, amount };
}

function describe(shares: ReadonlyMap<number, number>): string {
  return [...shares].map(([writer, count]) => `${count} of writer ${writer}`).join(', ');
}

function describeCall({ operation, key, walletId, outcome, attempts }: Call): string {
  const codes = attempts.map(({ status, code }) => `${status} ${code ?? ''}`.trim());
  return `${operation} ${key} of wallet ${walletId} is ${outcome} after ${codes.join(', ')}`;
}
