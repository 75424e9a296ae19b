/**
 * Any history: the machine beside a plain model of it (test/reference.ts), and everything that must hold of each posting.
 * SEED=<the seed in the test's name> repeats a run.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { detailText } from './chain.ts';
import { foreverMs } from './counters.ts';
import {
  apply,
  type Command,
  type Grant,
  type Lot,
  type Posting,
  type RefusalCode,
  type TransactionKind,
} from './domain.ts';
import { accountLimits } from './limits.ts';
import { restore } from './restore.ts';
import {
  adjust,
  burn,
  capture,
  clear,
  decline,
  due,
  earn,
  freeze,
  giveBack,
  grant,
  History,
  hold,
  load,
  negative,
  purchase,
  recover,
  redeem,
  refund,
  refuse,
  release,
  reverse,
  transferAcross,
  transferIn,
  transferOut,
  unfreeze,
} from './test/history.ts';
import { recordAt, storedPosting } from './test/records.ts';
import { ReferenceAccount } from './test/reference.ts';

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** A step's dice; what they mean depends on what has happened by then. */
const anyStep = fc.record({
  asked: fc.constantFrom(
    ...(['earn', 'earn', 'earn', 'load', 'adjust in', 'adjust out', 'burn', 'burn', 'redeem'] as const),
    ...(['hold', 'hold', 'capture', 'capture', 'release', 'reverse', 'reverse', 'reverse', 'reverse'] as const),
    ...(['purchase', 'purchase', 'purchase'] as const),
    ...(['transfer across', 'transfer across', 'return', 'return'] as const),
    ...(['clear', 'clear', 'decline', 'refund'] as const),
    ...(['transfer in', 'transfer out', 'due', 'due', 'freeze', 'unfreeze', 'unfreeze', 'unfreeze'] as const),
  ),
  amount: fc.integer({ min: 1, max: 12 }),
  whole: fc.boolean(),
  final: fc.boolean(),
  days: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  /** Which of the earlier transactions, counted from the newest. */
  back: fc.nat({ max: 15 }),
  policy: fc.constantFrom(refuse, negative(1), negative(7), recover),
  lots: fc.uniqueArray(fc.tuple(fc.integer({ min: -1, max: 3 }), fc.integer({ min: 1, max: 4 })), {
    selector: (lot) => lot[0],
    maxLength: 3,
  }),
  /** A clock that may go back. */
  hours: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.integer({ min: -3, max: 40 }) }),
});
type AnyStep = typeof anyStep extends fc.Arbitrary<infer Value> ? Value : never;

const clearings = ['redeem', 'expire', 'adjust', 'transfer_out'] as const;

function commandOf(step: AnyStep, history: History): Command {
  const { amount, days } = step;
  const part = step.whole ? null : amount;
  const newest = history.postings.length;
  switch (step.asked) {
    case 'earn':
      return earn(amount, days);
    case 'purchase':
      return purchase(grantsOf(step, history), grantsOf({ ...step, amount: step.amount + 1 }, history), days);
    case 'load':
      return load(amount);
    case 'adjust in':
      return adjust('in', amount, days);
    case 'adjust out':
      return adjust('out', amount);
    case 'burn':
      return burn(amount);
    case 'redeem':
      return redeem(amount);
    case 'hold':
      return hold(amount, step.back * 7_200 + 1);
    case 'capture':
      return capture(aHold(step, history), part, step.final);
    case 'release':
      return release(aHold(step, history));
    case 'reverse':
      if (newest === 0) return due;
      return reverse(Math.max(newest - step.back, 1), part, step.policy)(history.postings);
    case 'transfer in':
      return transferIn(amount, lotsOf(step, history));
    case 'transfer out':
      return transferOut(amount);
    case 'transfer across':
      return transferAcross(amount);
    case 'return':
      return aReturn(history);
    case 'clear':
      return clear(clearings[step.back % clearings.length] as 'redeem', step.final);
    case 'decline':
      return decline('giftcard_expired');
    case 'refund':
      return refund(amount);
    case 'due':
      return due;
    case 'freeze':
      return freeze;
    case 'unfreeze':
      return unfreeze;
  }
}

/** Two rules with caps of today, yesterday, or this month, and one for both. */
function grantsOf({ amount, back, whole, final }: AnyStep, history: History): Grant[] {
  const today = Math.floor(history.nowMs / 86_400_000) - (back === 15 ? 1 : 0);
  const both = ['*/day', today, 20] as const;
  const own = grant(amount, ['a/day', today, 9], ['a/month', Math.floor(today / 30) * 30 + 29, 40], both);
  const other = grant(final ? 3 : 1, both);
  return back === 14 ? [] : whole ? [own, other] : [other, own];
}

/** Of the oldest transfer across lanes that has not come back; its key would refuse a second time. */
function aReturn({ postings }: History): Command {
  const returned = new Set(postings.map((posting) => posting.detail?.returns));
  const away = postings.find((posting) => posting.detail?.across && !returned.has(posting.version));
  return away === undefined ? due : giveBack(away.version)(postings);
}

/** Mostly one that was held once. */
function aHold(step: AnyStep, history: History): number {
  const holds = history.postings.filter((posting) => posting.kind === 'hold').slice(-4);
  return holds[step.back % Math.max(holds.length, 1)]?.version ?? step.back;
}

function lotsOf(step: AnyStep, history: History): Lot[] {
  const today = Math.floor(history.nowMs / 86_400_000);
  let rest = step.amount;
  return step.lots
    .map(([day, amount]): Lot => [Math.max(today, 1) + day, amount])
    .sort((one, other) => one[0] - other[0])
    .filter((lot) => {
      rest -= lot[1];
      return rest >= 0;
    });
}

const seen = new Set<TransactionKind | RefusalCode | 'return' | `clear as ${TransactionKind}`>();

/** One command on both; they must agree on what comes of it, and on everything about the account after it. */
function inStep(step: AnyStep, history: History, reference: ReferenceAccount): void {
  history.nowMs += step.hours * 3_600_000;
  const command = commandOf(step, history);
  const before = history.state;
  const decision = history.ask(command);
  const outcome = reference.ask(command, history.nowMs);
  assert.equal(decision.type === 'refuse' ? decision.code : 'posted', outcome);
  seen.add(decision.type === 'refuse' ? decision.code : decision.posting.kind);
  if (command.kind === 'return') seen.add('return');
  if (command.kind === 'clear' && decision.type === 'post') seen.add(`clear as ${command.as.kind}`);
  if (decision.type === 'refuse') return;

  history.post(command);
  const { state, posting } = decision;
  const { version, balance, held, frozen, debt, lots, dueAtMs } = reference;
  assert.deepEqual(
    [state.version, state.balance, state.held, state.frozen, state.owed, state.lots, state.dueAtMs],
    [version, balance, held, frozen, debt, lots, dueAtMs],
  );
  assert.deepEqual(
    new Map(state.counters.map(([name, untilMs, count]) => [`${name} ${untilMs}`, count])),
    countedBy(reference, lastPurchaseMs(history)),
  );
  assert.deepEqual(
    state.holds.map((each) => [each.version, each.amount, each.expiresAtMs]),
    reference.holds.map((each) => [each.version, each.points.length, each.untilMs]),
  );
  const reversed = [...reference.undoable].filter(([, { reversed }]) => reversed > 0);
  assert.deepEqual(
    state.reversals,
    reversed.map(([of, each]) => [of, each.reversed]),
  );

  assert.deepEqual(posting.due, state.dueAtMs === before.dueAtMs ? null : { atMs: state.dueAtMs });
  assert.deepEqual(apply(before, posting), state);
  assert.deepEqual(apply(before, storedPosting(posting)), state);
  assert.equal(detailText(storedPosting(posting).detail), detailText(posting.detail));
}

/** Counters are cleared by purchases only. */
function lastPurchaseMs({ postings }: History): number {
  return postings.findLast((posting) => posting.detail?.rules !== undefined)?.occurredAtMs ?? 0;
}

/** What the reference has given under each cap, without the windows that no purchase can be of any more. */
function countedBy({ stamps, purchases }: ReferenceAccount, lastPurchaseMs: number): Map<string, number> {
  const counted = new Map<string, number>();
  for (const [name, untilMs] of stamps) {
    if (untilMs + accountLimits.counterKeptMs <= lastPurchaseMs) continue;
    counted.set(`${name} ${untilMs}`, (counted.get(`${name} ${untilMs}`) ?? 0) + 1);
  }
  if (purchases > 0) counted.set(`purchases ${foreverMs}`, purchases);
  return counted;
}

/** Balance and debt are the sums of what every posting says of them. */
function conserves({ postings, state }: History): void {
  const sum = (of: (posting: Posting) => number): number => postings.reduce((total, each) => total + of(each), 0);
  assert.equal(
    state.balance,
    sum((posting) => posting.balanceDelta),
  );
  const owed = (posting: Posting): number => posting.detail?.owed ?? 0;
  assert.equal(
    state.owed,
    sum((posting) => (posting.kind === 'earn' ? -owed(posting) : owed(posting))),
  );
}

function restores({ postings, states }: History): void {
  for (const [version, state] of states.entries()) {
    const record = recordAt(postings, version);
    assert.ok(record.tail.length < accountLimits.checkpointEvery);
    assert.deepEqual(restore(record), state);
  }
}

const once = {
  amount: 12,
  whole: false,
  final: false,
  days: undefined,
  back: 0,
  policy: refuse,
  lots: [],
  hours: 0,
} satisfies Omit<AnyStep, 'asked'>;
/** Captures of more than is held, and of all of it: holds are mostly over by then, so these come up seldom by chance. */
const captured: AnyStep[] = [
  { ...once, asked: 'earn' },
  { ...once, asked: 'hold', amount: 5, back: 15 },
  { ...once, asked: 'capture' },
  { ...once, asked: 'capture', whole: true },
];

describe('the account machine, any history', () => {
  it(`agrees with the plain model, conserves points, and is restored (SEED=${seed})`, () => {
    fc.assert(
      fc.property(fc.array(anyStep, { minLength: 20, maxLength: 250, size: 'max' }), (steps) => {
        const history = new History();
        const reference = new ReferenceAccount();
        for (const step of steps) inStep(step, history, reference);
        conserves(history);
        restores(history);
      }),
      { seed, numRuns: 150, examples: [[captured]] },
    );
    const kinds = [
      'earn',
      'burn',
      'load',
      'redeem',
      'adjust',
      'hold',
      'capture',
      'release',
      'reverse',
      'expire',
    ] as const;
    const others = [
      'transfer_out',
      'transfer_in',
      'freeze',
      'unfreeze',
      'account_frozen',
      'account_not_frozen',
      'return',
    ] as const;
    const refusals = [
      'nothing_earned',
      'insufficient_funds',
      'hold_closed',
      'capture_exceeds_hold',
      'not_reversible',
    ] as const;
    for (const kind of clearings) assert.ok(seen.has(`clear as ${kind}`), `clear as ${kind} came up`);
    assert.ok(seen.has('giftcard_expired'), 'a decline came up');
    for (const outcome of [...kinds, ...others, ...refusals, 'reversal_exceeds_original', 'nothing_due'] as const) {
      assert.ok(seen.has(outcome), `${outcome} came up`);
    }
  });
});
