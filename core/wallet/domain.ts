/**
 * Wallets, without their balance: that is the ledger's. Pure.
 */
import type { AccountId, MerchantId, ProgramId, WalletId, wallets } from '@local-plus/contracts';

/** What every earn has to know of a wallet. Only the status can change. */
export interface WalletFacts {
  readonly walletId: WalletId;
  /** The wallet as the ledger knows it. */
  readonly accountId: AccountId;
  readonly merchantId: MerchantId;
  readonly programId: ProgramId;
  readonly unit: string;
  readonly status: wallets.Wallet['status'];
}

export interface Balance {
  readonly balance: number;
  readonly held: number;
  readonly version: number;
}

/** What every wallet starts with. */
export const noBalance: Balance = { balance: 0, held: 0, version: 0 };
