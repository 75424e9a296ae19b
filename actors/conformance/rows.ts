/** Rows for tests: whole by default, varied where a test says so. */
import {
  type AccountId,
  type IdempotencyKey,
  type ProgramId,
  programAccount,
  type RequestId,
  uuidV7,
} from '@local-plus/contracts';
import type { Posting } from '../account/model.ts';
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

/** An earn of 10 that says it all, unless `posting` says otherwise. */
export function posted(
  accountId: AccountId,
  version: number,
  more: Partial<RequestFacts> = {},
  posting: Partial<Posting> = {},
): PostedRow {
  const about = facts(accountId, `key-${version}`, more);
  return {
    facts: about,
    posting: {
      kind: 'earn',
      amount: 10,
      balanceDelta: 10,
      contraAccountId: programAccount(about.programId, 'issued'),
      version,
      balanceAfter: version * 10,
      heldAfter: 0,
      occurredAtMs: 1_700_000_000_123 + version,
      baseVersion: null,
      detail: null,
      reversalOf: null,
      due: null,
      checkpoint: null,
      ...posting,
    },
    hash: linkOf(version),
  };
}

/** As good as a link of the hash chain: the store does not look into it. */
export function linkOf(version: number): string {
  return version.toString(16).padStart(4, '0').repeat(16);
}

export function refused(accountId: AccountId, key: string, part = 0): RefusedRow {
  return {
    facts: facts(accountId, key),
    kind: 'burn',
    amount: 99,
    code: 'insufficient_funds',
    balance: 7,
    held: 2,
    version: 3,
    occurredAtMs: 1_700_000_000_456,
    part,
  };
}

export function batchOf(
  writer: { writerId: number; epoch: number; batch: number },
  rows: { posted?: readonly PostedRow[]; refused?: readonly RefusedRow[]; isOptimistic?: boolean },
): Batch {
  return { posted: [], refused: [], isOptimistic: false, ...writer, ...rows };
}
