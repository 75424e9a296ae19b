/** Rows for tests: whole by default, varied where a test says so. */
import {
  type AccountId,
  type IdempotencyKey,
  type ProgramId,
  programAccount,
  type RequestId,
  uuidV7,
} from '@local-plus/contracts';
import type { Posting } from '../account/domain.ts';
import type { Batch, PostedRow, RefusedRow, RequestFacts } from '../ports.ts';

export function newAccountId(): AccountId {
  return uuidV7<AccountId>(Date.now());
}

export function facts(accountId: AccountId, key: string, more: Partial<RequestFacts> = {}): RequestFacts {
  return {
    accountId,
    programId: uuidV7<ProgramId>(1_700_000_000_000),
    idempotencyKey: key as IdempotencyKey,
    requestHash: '00112233445566778899aabbccddeeff',
    requestId: uuidV7<RequestId>(1_700_000_000_000),
    traceparent: null,
    reference: null,
    metadata: null,
    ...more,
  };
}

export function posted(accountId: AccountId, version: number, more: Partial<RequestFacts> = {}): PostedRow {
  const about = facts(accountId, `key-${version}`, more);
  const posting: Posting = {
    kind: 'earn',
    amount: 10,
    balanceDelta: 10,
    contraAccountId: programAccount(about.programId, 'issued'),
    version,
    balanceAfter: version * 10,
    heldAfter: 0,
    occurredAtMs: 1_700_000_000_123 + version,
  };
  return { facts: about, posting };
}

export function refused(accountId: AccountId, key: string): RefusedRow {
  return {
    facts: facts(accountId, key),
    kind: 'burn',
    amount: 99,
    code: 'insufficient_funds',
    balance: 7,
    held: 2,
    version: 3,
    occurredAtMs: 1_700_000_000_456,
  };
}

export function batchOf(
  writer: { writerId: number; epoch: number; batch: number },
  rows: { posted?: readonly PostedRow[]; refused?: readonly RefusedRow[] },
): Batch {
  return { posted: [], refused: [], ...writer, ...rows };
}
