/** What bulk issue needs of other modules. */
import type { GiftcardBatchId, MerchantId, ProgramId } from '@local-plus/contracts';
import type { CardBatch, CardOfBatch, CardsModule } from '../cards/index.ts';

export type JobTerms = CardBatch & { readonly batchId: GiftcardBatchId };

export interface CardIssuer {
  /** See {@link CardsModule.issueMany}. */
  issueMany(terms: JobTerms, cards: readonly CardOfBatch[]): Promise<void>;
}

/** What can be known before there is a job. */
export interface Programs {
  find(programId: ProgramId): ProgramOwner | null | Promise<ProgramOwner | null>;
}

export interface ProgramOwner {
  readonly merchantId: MerchantId;
  readonly unit: string;
}

export type CatalogItems = Pick<CardsModule, 'offers'>;
