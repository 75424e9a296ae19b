/**
 * In which database an account's rows are: the one, unless the ledger has several. An account stays where it is for ever.
 *
 * Where there are several, a process writes batches to its own database only; of the others it reads what was committed,
 * and closes open transfers there, which is all that a lane does not fence.
 */
import type { AccountId } from '@local-plus/contracts';
import type { Database } from '../platform/postgres/index.ts';

export interface LedgerDatabase {
  /** Numbered from 1. */
  readonly id: number;
  readonly url: string;
  readonly pool: Pick<Database, 'read' | 'write'>;
}

export interface LedgerDatabases {
  readonly all: readonly LedgerDatabase[];
  /** Throws the problem `unavailable` while it is not known. */
  of(accountId: AccountId): LedgerDatabase;
  /** Those that may have a transaction of this writer: one, where that is known. */
  ofWriter(writerId: number): readonly LedgerDatabase[];
}

/** The ledger has one database. */
export function oneDatabase(database: LedgerDatabase): LedgerDatabases {
  const all = [database];
  return { all, of: () => database, ofWriter: () => all };
}
