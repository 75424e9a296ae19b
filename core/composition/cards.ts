/** Cards, their codes and their bulk issue: codes ask cards what a code shows, cards ask codes for new ones. */
import { createBatchesModule } from '../giftcard/batches/index.ts';
import { type CardOptions, type CardsModule, createCardsModule } from '../giftcard/cards/index.ts';
import { type CodesModule, createCodesModule } from '../giftcard/codes/index.ts';
import type { Platform } from './platform.ts';

export function createCards(
  { config, database, log, metrics }: Platform,
  ports: Pick<CardOptions, 'programs' | 'ledger' | 'accounts' | 'catalog' | 'customers' | 'timeZone'>,
) {
  const common = { database, log, metrics };
  const codes: CodesModule = createCodesModule({
    ...common,
    keys: config.giftcardCodeKeys,
    cards: { read: (cardId, merchantId) => module.read(cardId, merchantId) },
  });
  const module: CardsModule = createCardsModule({ ...ports, ...common, codes: codes.book });
  const batches = createBatchesModule({
    ...common,
    programs: ports.programs,
    catalog: module,
    codes,
    cards: module,
  });
  return {
    module,
    codes: codes.book,
    handlers: { ...codes.handlers, ...module.handlers, ...batches.handlers },
    start() {
      void codes.start();
      module.start();
      batches.start();
    },
    stop: () => Promise.all([batches.stop(), module.stop()]),
  };
}
