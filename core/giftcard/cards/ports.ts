/** What gift cards need of others, and what others see of them. */
import type { AccountState, Command } from '@local-plus/actors';
import type { AccountId, CatalogItemId, CustomerId, GiftcardId, MerchantId, ProgramId } from '@local-plus/contracts';
import type { AccountTerms, Desk, Ledger } from '../../ledger/index.ts';
import type { Batcher } from '../../platform/batching/index.ts';
import type { Log } from '../../platform/telemetry/index.ts';
import type { ItemFacts, Stock } from '../catalog/index.ts';
import type { CodeBook } from '../codes/index.ts';
import type { ActivityRow, ActivityStore } from './activities-store.ts';
import type { CardRow } from './domain.ts';
import type { CardStore } from './store.ts';

export type Found<Value> = Value | null | Promise<Value | null>;

export interface ProgramTerms {
  readonly programId: ProgramId;
  readonly merchantId: MerchantId;
  readonly unit: string;
  readonly rules: AccountTerms['rules'];
}

/** What is theirs to know of the ledger. */
export interface CardLedger {
  readonly desk: Desk;
  readonly history: Ledger['history'];
  /** The committed state. Throws the problem `unavailable` while the store is away. */
  read(accountId: AccountId): Promise<AccountState>;
}

export interface CardPorts {
  readonly programs: { find(programId: ProgramId): Found<ProgramTerms> };
  readonly ledger: CardLedger;
  /** Every account's terms, with the rules that are current. */
  readonly accounts: { find(accountId: AccountId): Found<AccountTerms> };
  readonly catalog: { find(itemId: CatalogItemId): Promise<ItemFacts | null> } & Pick<Stock, 'take'>;
  readonly customers: {
    /** Under which ids a merchant's customer may have been written down: its own, and those it was merged with. */
    identities(merchantId: MerchantId, id: CustomerId): Promise<readonly CustomerId[]>;
  };
  readonly codes: Pick<CodeBook, 'draw'>;
  /** In which a merchant's days end. */
  readonly timeZone: (merchantId: MerchantId) => Promise<string>;
  readonly nowMs: () => number;
}

/** What the handlers share. */
export interface HandlerPorts extends CardPorts {
  readonly rows: Batcher<GiftcardId, CardRow | null>;
  readonly store: CardStore;
  readonly activities: ActivityStore;
  /** Brings an activity to its end (settlement.ts). */
  readonly settlement: { settle(activity: ActivityRow, deadlineMs: number): Promise<ActivityRow> };
  readonly noticeDays: readonly number[];
  readonly log: Log;
}

/** What other modules of core (payments, say) ask of a card, as the ledger's desk takes it. */
export interface Admission {
  readonly terms: AccountTerms;
  /** What was asked; or, where the card's state does not allow it, its `decline`: the ledger refuses that, and remembers it. */
  readonly command: Command;
}
