/** An account's state from what the store knows of it. */
import { apply } from './apply.ts';
import { readCheckpoint } from './checkpoint.ts';
import { assert } from './invariant.ts';
import type { AccountHead, AccountRecord, AccountState } from './model.ts';
import { openedAccount, plainState } from './state.ts';

export { checkpointOf } from './checkpoint.ts';

/**
 * @param record null: the store knows nothing of the account
 * @throws InvariantViolation when its rows do not follow from each other
 */
export function restore(record: AccountRecord | null): AccountState {
  if (record === null) return openedAccount;
  let state = baseState(record.base);
  for (const posting of record.tail) state = apply(state, posting);
  return state;
}

function baseState(base: AccountRecord['base']): AccountState {
  if (base === null) return openedAccount;
  if (typeof base === 'string') return readCheckpoint(base);
  return headState(base);
}

function headState(head: AccountHead): AccountState {
  assert(head.held === 0, 'a row says it all only where nothing is held');
  return plainState(head);
}
