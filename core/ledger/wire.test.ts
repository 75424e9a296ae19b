/** What a refusal says, for every code: the words of the request that met it, in numbers where there are some. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RefusalCode, RefusedRow, TransactionKind } from '@local-plus/actors';
import {
  type AccountId,
  type IdempotencyKey,
  type ProgramId,
  problemSchema,
  type RequestId,
  uuidV7,
} from '@local-plus/contracts';
import { refusalProblem } from './wire.ts';

/** Of an account with a balance of 100, of which 40 are held. */
function refused(code: RefusalCode, kind: TransactionKind, amount: number, part = 0): RefusedRow {
  return {
    facts: {
      accountId: uuidV7<AccountId>(0),
      programId: uuidV7<ProgramId>(0),
      idempotencyKey: 'k' as IdempotencyKey,
      requestHash: '0'.repeat(32),
      requestId: uuidV7<RequestId>(0),
      traceparent: null,
      reference: null,
      metadata: null,
    },
    kind,
    amount,
    code,
    balance: 100,
    held: 40,
    version: 3,
    occurredAtMs: 0,
    part,
  };
}

const cases: readonly (readonly [RefusedRow, string])[] = [
  [refused('insufficient_funds', 'burn', 61), 'Available is 60; the burn asks for 61.'],
  [refused('insufficient_funds', 'transfer_out', 61), 'Available is 60; the transfer asks for 61.'],
  [refused('insufficient_funds', 'reverse', 0), 'Available is 60; the reversal asks for more.'],
  [
    refused('insufficient_funds', 'hold', 60),
    'Of the available 60 a part has expired; the hold asks for 60, more than the rest.',
  ],
  [refused('balance_limit_exceeded', 'earn', 7), 'The balance is 100; with 7 more it would leave its bounds.'],
  [refused('balance_limit_exceeded', 'reverse', 0), 'The balance is 100; with this it would leave its bounds.'],
  [
    refused('balance_limit_exceeded', 'transfer_in', 7, 1),
    'The receiving balance is 100; with 7 more it would leave its bounds.',
  ],
  [refused('account_frozen', 'earn', 1), 'The account is frozen; it takes no earn.'],
  [refused('account_frozen', 'transfer_out', 1), 'The account is frozen; it takes no transfer.'],
  [refused('account_frozen', 'transfer_in', 1, 1), 'The receiving account is frozen; it takes no transfer.'],
  [refused('account_frozen', 'freeze', 0), 'The account is frozen already.'],
  [refused('account_not_frozen', 'unfreeze', 0), 'The account is not frozen.'],
  [refused('hold_closed', 'capture', 1), 'It was captured or released, wholly, or its time is over.'],
  [refused('capture_exceeds_hold', 'capture', 9), 'The capture asks for 9; less is left of the hold.'],
  [refused('holds_limit_exceeded', 'hold', 1), 'Capture or release one of the open holds first.'],
  [refused('not_reversible', 'reverse', 1), 'A transaction of this kind cannot be reversed.'],
  [refused('reversal_exceeds_original', 'reverse', 9), 'The reversal asks for 9; less is left of the transaction.'],
  [refused('reversal_exceeds_original', 'reverse', 0), 'Nothing is left of the transaction to reverse.'],
  [refused('reversals_limit_exceeded', 'reverse', 1), 'The account has too many reversed transactions.'],
];

describe('a refusal on the wire', () => {
  for (const [row, detail] of cases) {
    it(`${row.code} of a ${row.kind}: ${detail}`, () => {
      const problem = problemSchema.parse(refusalProblem(row));
      assert.deepEqual(
        [problem.status, problem.code, problem.detail, problem.retryable, problem.request_id],
        [409, row.code, detail, false, row.facts.requestId],
      );
    });
  }

  it('is never that nothing was due: nobody asks for that', () => {
    assert.throws(() => refusalProblem(refused('nothing_due', 'expire', 0)));
  });
});
