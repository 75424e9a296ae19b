/** Every route's scene. */
import type { Scenes } from '../play.ts';
import { administrationScenes } from './administration.ts';
import { catalogItemScenes } from './catalog-items.ts';
import { customerScenes } from './customers.ts';
import { giftcardBatchScenes } from './giftcard-batches.ts';
import { giftcardScenes } from './giftcards.ts';
import { loyaltyScenes } from './loyalty.ts';
import { merchantScenes } from './merchants.ts';
import { paymentScenes } from './payments.ts';
import { walletScenes } from './wallets.ts';

export const scenes = {
  ...merchantScenes,
  ...administrationScenes,
  ...loyaltyScenes,
  ...walletScenes,
  ...customerScenes,
  ...giftcardScenes,
  ...giftcardBatchScenes,
  ...paymentScenes,
  ...catalogItemScenes,
} satisfies Scenes;
