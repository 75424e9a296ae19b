/** What bulk issue needs of other modules. */
import type {
  CatalogItemId,
  GiftcardBatchId,
  GiftcardId,
  MerchantId,
  ProgramId,
  RequestId,
} from '@local-plus/contracts';

/** What all cards of a job have in common. */
export interface CardTerms {
  readonly merchantId: MerchantId;
  readonly programId: ProgramId;
  readonly catalogItemId: CatalogItemId | null;
  /** Each, in the smallest unit of the program. */
  readonly amount: number;
  /** `YYYY-MM-DD`; null: never. */
  readonly expiresOn: string | null;
  /** Otherwise a card waits, pending, for its activation. */
  readonly activate: boolean;
  readonly hasPin: boolean;
  /** Of the request that asked for the job. */
  readonly requestId: RequestId;
  readonly batchId: GiftcardBatchId;
}

export interface CardToIssue {
  readonly cardId: GiftcardId;
  /** Of its code, which it has already. */
  readonly lastFour: string;
}

export interface CardIssuer {
  /**
   * Issues each card once, however often, and by whichever process, this is asked: the card's id is the key of its row and of
   * what is posted for it. Asked again it finishes what a killed process left undone. Resolves when all of them are durable.
   *
   * Throws a `ProblemError`: one that is not retryable is a refusal, of one of them at least; after any other, and after
   * `DatabaseUnavailable`, some of the cards may be there, and the same call goes on.
   */
  issueMany(terms: CardTerms, cards: readonly CardToIssue[]): Promise<void>;
}

/** What can be known before there is a job. */
export interface Programs {
  find(programId: ProgramId): ProgramOwner | null | Promise<ProgramOwner | null>;
}

export interface ProgramOwner {
  readonly merchantId: MerchantId;
  readonly unit: string;
}

export interface CatalogItems {
  /** Whether cards of the item can be issued now. null: there is no such item, or it is another merchant's. */
  offers(itemId: CatalogItemId, card: OfferedCard): Promise<boolean | null>;
}

export interface OfferedCard {
  readonly merchantId: MerchantId;
  readonly amount: number;
  readonly unit: string;
}
