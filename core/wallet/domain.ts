/**
 * Wallets, without their balance: that is the ledger's. Pure.
 */
import type { ExpiryRule, ReversalPolicy } from '@local-plus/actors';
import type { AccountId, MerchantId, ProgramId, WalletId, wallets } from '@local-plus/contracts';

/** What a wallet has to know of its program. */
export interface ProgramTerms {
  readonly programId: ProgramId;
  readonly merchantId: MerchantId;
  readonly unit: string;
  readonly rules: ProgramRules;
}

/** Who knows the programs: at once when it is in memory. */
export interface ProgramDirectory {
  find(programId: ProgramId): ProgramTerms | null | Promise<ProgramTerms | null>;
  /** Only from memory; its rules may have to be read anew. */
  known(programId: ProgramId): ProgramTerms | undefined;
}

/** What a program asks of the ledger: passed on, not read here. */
export interface ProgramRules {
  readonly expiry: ExpiryRule | null;
  readonly reversalPolicy: ReversalPolicy;
  readonly holdExpiresInS: number;
}

/** What every earn has to know of a wallet. Only the status can change. */
export interface WalletFacts {
  readonly kind: 'wallet';
  readonly walletId: WalletId;
  /** The wallet as the ledger knows it. */
  readonly accountId: AccountId;
  readonly merchantId: MerchantId;
  readonly programId: ProgramId;
  readonly unit: string;
  /** The program's own object: there are many more wallets than programs. */
  readonly rules: ProgramRules;
  readonly status: wallets.Wallet['status'];
}

export interface Balance {
  readonly balance: number;
  readonly held: number;
  readonly version: number;
  readonly frozen: boolean;
}

/** The ledger knows whether an account is frozen; whether a wallet is closed is said by its row. */
export function statusOf(
  written: wallets.Wallet['status'],
  { frozen }: Pick<Balance, 'frozen'>,
): wallets.Wallet['status'] {
  return written === 'active' && frozen ? 'frozen' : written;
}

/** What every wallet starts with. */
export const noBalance: Balance = { balance: 0, held: 0, version: 0, frozen: false };
