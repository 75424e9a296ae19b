/** The checker can fail: each kind of violation, planted into a run in which nothing is wrong, is found by the check that is meant to. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { transactionId } from '@local-plus/contracts';
import type { LedgerRow } from '../../reconcile/checks.ts';
import { judge } from './index.ts';
import { honestRun, type Run } from './test/honest-run.ts';

function violated(run: Run): string[] {
  return judge(run)
    .results.filter(({ violations }) => violations > 0)
    .map(({ name, first }) => `${name}: ${first}`);
}

function rowOf(run: Run, key: string): Run['rows'][number] {
  const row = run.rows.find(({ idempotencyKey }) => idempotencyKey === key);
  assert.ok(row, `a row of ${key}`);
  return row;
}

function callOf(run: Run, operation: string, nth = 0): Run['calls'][number] {
  const call = run.calls.filter((each) => each.operation === operation)[nth];
  assert.ok(call, `${operation} number ${nth}`);
  return call;
}

function drop(run: Run, row: LedgerRow): void {
  run.rows.splice(run.rows.indexOf(row), 1);
}

/** A later row of the same account, as an earlier call is told. */
function told(call: Run['calls'][number], change: object): void {
  call.answer = { ...(call.answer as object), ...change };
}

/** What is done to the run, and which check has to say so. */
const plants: readonly (readonly [name: string, check: RegExp, plant: (run: Run) => void])[] = [
  [
    'an answered earn is not there',
    /I3 what was answered is/,
    (run) => drop(run, rowOf(run, callOf(run, 'earn', 1).key)),
  ],
  [
    'an answered earn is there twice',
    /I3 what was answered is/,
    (run) => run.rows.push({ ...rowOf(run, callOf(run, 'earn').key) }),
  ],
  [
    'an answer tells another balance than the ledger',
    /I3 what was answered is/,
    (run) => told(callOf(run, 'burn'), { balance_after: 71 }),
  ],
  [
    'an answer tells another version than the ledger',
    /I3 what was answered is/,
    (run) => told(callOf(run, 'capture'), { version: 9 }),
  ],
  [
    'a row says another amount than was asked for',
    /I3 what was answered is/,
    (run) => Object.assign(rowOf(run, callOf(run, 'burn').key), { amount: 31 }),
  ],
  [
    'points left one wallet and did not arrive',
    /I3 what was answered is/,
    (run) => drop(run, rowOf(run, `transfer ${run.wallet} ${callOf(run, 'transfer').key}`)),
  ],
  [
    'a transfer arrived with another amount',
    /I3 what was answered is/,
    (run) => Object.assign(rowOf(run, `transfer ${run.wallet} ${callOf(run, 'transfer').key}`), { amount: 6 }),
  ],
  [
    'a key is told two different successes',
    /I3 a second answer/,
    (run) => {
      const again = run.calls.at(-1);
      assert.ok(again);
      told(again, { balance_after: 1 });
    },
  ],
  [
    'a key is told a success and then a refusal',
    /I3 a second answer/,
    (run) => Object.assign(run.calls.at(-1) ?? {}, { outcome: 'refused' }),
  ],
  [
    'what was refused is there',
    /I3 what was refused/,
    (run) =>
      run.rows.push({
        ...rowOf(run, callOf(run, 'burn').key),
        idempotencyKey: callOf(run, 'burn', 1).key,
        version: 99,
      }),
  ],
  ['a refusal is not stored', /I3 what was refused/, (run) => run.refusals.splice(0)],
  [
    'what nobody knows is there twice',
    /I3 what was not answered/,
    (run) => run.rows.push({ ...rowOf(run, callOf(run, 'earn', 2).key), version: 99 }),
  ],
  [
    'something is there that nobody asked for',
    /I3 the ledger has nothing/,
    (run) => Object.assign(rowOf(run, callOf(run, 'earn', 2).key), { idempotencyKey: 'nobody' }),
  ],
  [
    'a right request is told that it is wrong',
    /I3 no right request/,
    (run) => {
      const call = callOf(run, 'earn', 3);
      const [attempt] = call.attempts;
      assert.ok(attempt);
      Object.assign(call, {
        outcome: 'rejected',
        attempts: [{ ...attempt, status: 422, code: 'idempotency_key_reused' }],
      });
    },
  ],
  [
    'a read shows less than an earlier answer',
    /linearizable: what was known/,
    (run) => told(callOf(run, 'balance'), { version: 1, balance: 100, available: 100 }),
  ],
  [
    'a write stands before one that was answered earlier',
    /linearizable: what was known/,
    (run) => {
      const [earn, burn] = [rowOf(run, callOf(run, 'earn').key), rowOf(run, callOf(run, 'burn').key)];
      [earn.version, burn.version] = [burn.version, earn.version];
    },
  ],
  [
    'a refusal was decided on an old state',
    /linearizable: what was known/,
    (run) => Object.assign(run.refusals[0] ?? {}, { version: 1, balance: 100, held: 0 }),
  ],
  [
    'a read shows what was asked for later',
    /linearizable: nothing is shown/,
    (run) => told(callOf(run, 'balance'), { version: 3, balance: 70, held: 20, available: 50 }),
  ],
  [
    'a read shows what was never committed',
    /I4/,
    (run) => told(callOf(run, 'balance', 1), { version: 99, balance: 1, available: 1 }),
  ],
  ['a read shows another balance', /I4/, (run) => told(callOf(run, 'balance'), { balance: 71, available: 71 })],
  ['points were refused that were there', /I4/, (run) => Object.assign(run.refusals[0] ?? {}, { amount: 5 })],
  ['a version is missing', /I2 each account's versions/, (run) => drop(run, rowOf(run, callOf(run, 'capture').key))],
  [
    'a balance is not the sum of what was posted',
    /I2 each balance/,
    (run) => Object.assign(rowOf(run, callOf(run, 'burn').key), { balanceAfter: 71 }),
  ],
  [
    'more was spent than there was',
    /I2 available/,
    (run) => Object.assign(rowOf(run, callOf(run, 'hold').key), { heldAfter: 1_000 }),
  ],
  [
    'the old writer writes once more after its shard has moved',
    /I7 nothing is written/,
    (run) => {
      const row = run.rows.find(({ accountId, version }) => accountId === run.moved && version === 3);
      assert.ok(row);
      row.transactionId = transactionId(Date.parse(row.occurredAt), { writerId: 1, batch: 500, place: 0 });
    },
  ],
  [
    'the new writer has written before it was its own',
    /I7 nothing is written/,
    (run) => Object.assign(run.moves[0] ?? {}, { toBatch: 500 }),
  ],
  [
    'a shard is given by whoever does not have it',
    /I7 each move/,
    (run) => Object.assign(run.moves[0] ?? {}, { from: 3 }),
  ],
];

describe('the checker', () => {
  it('finds nothing in a run in which nothing is wrong', () => {
    const run = honestRun();
    assert.deepEqual(violated(run), []);
    const { unknown, unknownHappened, results } = judge(run);
    assert.deepEqual([unknown, unknownHappened], [2, 1]);
    assert.deepEqual(
      results.filter(({ looked }) => looked === 0).map(({ name }) => name),
      [],
      'every check has looked at something',
    );
  });

  for (const [name, check, plant] of plants) {
    it(`finds that ${name}`, () => {
      const run = honestRun();
      plant(run);
      assert.ok(
        violated(run).some((violation) => check.test(violation)),
        `it found ${violated(run).join('; ') || 'nothing'}`,
      );
    });
  }

  it('takes a transfer that was refused and came back for undone', () => {
    const run = honestRun();
    const transfer = callOf(run, 'transfer');
    Object.assign(transfer, { outcome: 'refused', answer: { code: 'account_frozen' } });
    const arrival = rowOf(run, `transfer ${run.wallet} ${transfer.key}`);
    drop(run, arrival);
    const later = run.rows.find(({ accountId, version }) => accountId === run.moved && version === 3);
    run.rows.push({ ...rowOf(run, transfer.key), idempotencyKey: `return ${transfer.key}`, version: 99 });
    run.refusals.push({
      accountId: run.moved,
      key: arrival.idempotencyKey,
      code: 'account_frozen',
      amount: 5,
      version: 1,
      balance: 50,
      held: 0,
    });
    assert.ok(later);
    const ofKeys = violated(run).filter((violation) => violation.startsWith('I3'));
    assert.deepEqual(ofKeys, []);
  });
});
