/** ④ Wallet id → what every earn has to know of it, from memory where it can. Never changes for a wallet that exists. */
import type { WalletId } from '@local-plus/contracts';
import type { Batcher } from '../platform/batching/index.ts';
import { Directory } from '../platform/cache/index.ts';
import type { ProgramDirectory, ProgramTerms, WalletFacts } from './domain.ts';
import { factsOf, type WalletRow } from './store.ts';

export type WalletDirectory = Directory<WalletId, WalletRow, ProgramTerms, WalletFacts>;

export function walletDirectory(
  rows: Batcher<WalletId, WalletRow | null>,
  programs: ProgramDirectory,
  heldMax: number,
): WalletDirectory {
  return new Directory({
    heldMax,
    rowOf: (walletId) => rows.submit(walletId),
    parentOf: (row) => programs.find(row.program_id),
    join: factsOf,
  });
}
