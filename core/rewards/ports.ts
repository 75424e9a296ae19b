/** What rewards need of others. */
import type { AccountId, ProgramId, WalletId } from '@local-plus/contracts';
import type { AccountTerms } from '../ledger/index.ts';
import type { ProgramOwner, Programs } from '../program/index.ts';
import type { RedemptionProcess } from './process.ts';
import type { RedemptionStore } from './redemptions-store.ts';
import type { RewardStore } from './store.ts';

type Found<Value> = Value | null | Promise<Value | null>;

export interface HandlerPorts {
  readonly store: RewardStore;
  readonly redemptions: RedemptionStore;
  readonly process: RedemptionProcess;
  readonly programs: Programs<ProgramOwner>;
  /** With the rules that are current. */
  readonly accounts: { find(accountId: AccountId): Found<AccountTerms> };
  /** Of the wallet's customer; null: it has none. */
  readonly customerOf: (walletId: WalletId) => Promise<string | null>;
  readonly tiers: {
    /** By all that is committed; null: none. */
    current(accountId: AccountId, programId: ProgramId): Promise<string | null>;
  };
  readonly nowMs: () => number;
}
