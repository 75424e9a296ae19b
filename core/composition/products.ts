/** What merchants and customers come for, on the ledger: payments, tiers, rewards, people, liability. */
import type { AccountId, CatalogItemId, GiftcardId, ProgramId } from '@local-plus/contracts';
import { createCustomerModule } from '../customer/index.ts';
import { createLiabilityModule } from '../liability/index.ts';
import { createPaymentsModule, type PaymentsOptions } from '../payments/index.ts';
import { createRewardModule, type RewardOptions } from '../rewards/index.ts';
import { createTierModule } from '../tiers/index.ts';
import type { Base } from './base.ts';
import type { Platform } from './platform.ts';

export function createProducts(platform: Platform, base: Base) {
  const { config, database, log, metrics } = platform;
  const { accounts, cards, ledger, programs, wallet } = base;
  const { desk, states } = ledger;
  const payments = createPaymentsModule({ ...platform, desk, sources: sourcesOf(base), programs, states });
  const tiers = createTierModule({
    database,
    earnings: ledger.earnings,
    programs,
    wallets: wallet.accounts,
    walletsOf: wallet.ofProgram,
    log,
    metrics,
  });
  const { customerOf } = wallet;
  const issueCard = cardIssuer(cards);
  const rewards = createRewardModule({
    database,
    programs,
    accounts,
    customerOf,
    tiers,
    desk,
    issueCard,
    log,
    metrics,
  });
  const customers = createCustomerModule({
    database,
    keys: config.customerKeys,
    wallets: wallet,
    routes: { ...ledger.handlers, ...tiers.handlers, ...cards.handlers },
    log,
    metrics,
  });
  const liability = createLiabilityModule({
    ...platform,
    ledger: { tails: ledger.earnings.tails, between: ledger.flows.between },
    programs,
    rates: payments.rates,
  });
  return { payments, tiers, rewards, customers, liability };
}

/** What can pay: wallets at their program's rate, cards as far as their state lets them. */
function sourcesOf({ accounts, cards }: Base): PaymentsOptions['sources'] {
  return {
    async find(type, id) {
      const terms = await accounts.find(id as AccountId);
      if (terms === null || terms.kind !== type) return null;
      return { terms, currency: type === 'giftcard' ? terms.unit : null };
    },
    async admit(type, id, activity, command) {
      if (type === 'giftcard') return cards.module.admit(id as GiftcardId, activity, command);
      const terms = await accounts.find(id as AccountId);
      return terms === null || terms.kind !== type ? null : { terms, command: command(terms) };
    },
  };
}

/** A card as a reward: its code, once. */
function cardIssuer({ codes, module }: Base['cards']): RewardOptions['issueCard'] {
  return async ({ cardId, merchantId, gives, requestId }) => {
    const { program_id, catalog_item_id, amount } = gives;
    const [code] = await codes.assign([{ cardId, merchantId, pin: false }]);
    if (code === undefined) throw new Error('a card has a code');
    const batch = { batchId: null, merchantId, amount, expiresOn: null, activate: true, hasPin: false, requestId };
    const of = { programId: program_id as ProgramId, catalogItemId: catalog_item_id as CatalogItemId | null };
    await module.issueMany({ ...batch, ...of }, [{ cardId, lastFour: code.lastFour }]);
    return code.code;
  };
}
