import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits, type ProgramId, programAccount } from '@local-plus/contracts';
import fc from 'fast-check';
import { type AccountState, apply, type Command, decide, InvariantViolation, openedAccount } from './domain.ts';

const programId = '01890000-0000-7000-8000-000000000000' as ProgramId;
const state = (balance: number, held = 0, version = 3): AccountState => ({ version, balance, held, lastAtMs: 1_000 });
const command = (kind: Command['kind'], amount: number): Command => ({ kind, amount, programId });
const max = limits.balanceMax;

/** Each row: the state before, the command, and what must come out. */
const cases: readonly (readonly [AccountState, Command, string])[] = [
  [openedAccount, command('earn', 1), 'v1 balance 1 issued -1'],
  [openedAccount, command('earn', limits.amountMax), 'v1 balance 1000000000000 issued -1000000000000'],
  [state(5), command('earn', 7), 'v4 balance 12 issued -7'],
  [state(5, 5), command('earn', 7), 'v4 balance 12 issued -7'],
  [state(max - 7), command('earn', 7), `v4 balance ${max} issued -7`],
  [state(max - 7), command('earn', 8), 'balance_limit_exceeded'],
  [openedAccount, command('burn', 1), 'insufficient_funds'],
  [state(5), command('burn', 5), 'v4 balance 0 redeemed 5'],
  [state(5), command('burn', 6), 'insufficient_funds'],
  [state(5, 1), command('burn', 4), 'v4 balance 1 redeemed 4'],
  [state(5, 1), command('burn', 5), 'insufficient_funds'],
];

function told(before: AccountState, asked: Command): string {
  const decision = decide(before, asked, 2_000);
  if (decision.type === 'refuse') return decision.code;
  const { posting } = decision;
  const role = posting.contraAccountId === programAccount(programId, 'issued') ? 'issued' : 'redeemed';
  return `v${posting.version} balance ${posting.balanceAfter} ${role} ${-posting.balanceDelta}`;
}

describe('the account machine', () => {
  for (const [before, asked, expected] of cases) {
    const { balance, held } = before;
    it(`${asked.kind} ${asked.amount} at balance ${balance}, held ${held}: ${expected}`, () => {
      assert.equal(told(before, asked), expected);
    });
  }

  it('holds time at the account when the clock goes back', () => {
    const decision = decide(state(0), command('earn', 1), 400);
    assert.equal(decision.type === 'post' && decision.posting.occurredAtMs, 1_000);
  });

  it('asserts what the boundary has to have refused', () => {
    for (const amount of [0, -1, 1.5, Number.NaN, limits.amountMax + 1]) {
      assert.throws(() => decide(state(9), command('burn', amount), 2_000), InvariantViolation);
    }
  });

  it('I2: asserts a posting that does not follow from the state', () => {
    const decision = decide(state(5), command('earn', 7), 2_000);
    assert.ok(decision.type === 'post');
    const wrong = [
      { version: 5 },
      { version: 3 },
      { balanceAfter: 13 },
      { balanceDelta: -7 },
      { heldAfter: 13 },
      { heldAfter: -1 },
    ];
    for (const change of wrong) {
      assert.throws(() => apply(state(5), { ...decision.posting, ...change }), InvariantViolation);
    }
  });

  it('I2: any history keeps dense versions, and a balance that is the sum of its deltas and never negative', () => {
    const anyCommand = fc.record({
      kind: fc.constantFrom<Command['kind']>('earn', 'burn'),
      amount: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: limits.amountMax })),
      programId: fc.constant(programId),
    });
    fc.assert(
      fc.property(fc.array(anyCommand, { maxLength: 100 }), (history) => {
        let now: AccountState = openedAccount;
        let sum = 0;
        let versions = 0;
        for (const asked of history) {
          const decision = decide(now, asked, 5);
          const fits = asked.kind === 'earn' || sum >= asked.amount;
          assert.equal(decision.type, fits ? 'post' : 'refuse');
          if (decision.type === 'refuse') continue;
          sum += decision.posting.balanceDelta;
          versions++;
          now = decision.state;
          assert.deepEqual([now.version, now.balance], [versions, sum]);
        }
        assert.ok(sum >= 0);
      }),
    );
  });
});
