/** ④ Wallet id → what every earn has to know of it, from memory where it can. Never changes for a wallet that exists. */
import type { WalletId } from '@local-plus/contracts';
import { Directory } from '../platform/cache/index.ts';
import type { ProgramDirectory, ProgramTerms, WalletFacts } from './domain.ts';
import type { Memberships } from './memberships.ts';
import { factsOf, type Membership } from './store.ts';

export type WalletDirectory = Directory<WalletId, Membership, ProgramTerms, WalletFacts>;

export function walletDirectory(
  rows: { submit(walletId: WalletId): Promise<Membership | null> },
  programs: ProgramDirectory,
  heldMax: number,
  memberships: Memberships,
): WalletDirectory {
  return new Directory({
    heldMax,
    rowOf: (walletId) => rows.submit(walletId),
    parentOf: (row) => programs.find(row.program_id),
    join: factsOf,
    rows: {
      recall: (walletId) => memberships.recall(walletId),
      note: (row) => memberships.note(row),
      parentOf: (row) => programs.known(row.program_id),
    },
  });
}
