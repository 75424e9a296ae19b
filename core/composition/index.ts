/** All modules of the role `api`, put together: the one place where they meet. */
import { createAuditModule } from '../audit/index.ts';
import { createBulkModule } from '../bulk/index.ts';
import { createIdentityModule } from '../identity/index.ts';
import type { Handlers } from '../platform/http/index.ts';
import type { BaseOptions } from './base.ts';
import { createBase } from './base.ts';
import type { Platform } from './platform.ts';
import { createProducts } from './products.ts';

export { createPlatform, type Platform } from './platform.ts';

export interface ApiOptions extends Pick<BaseOptions, 'relay' | 'address'> {
  /** Called once: another process owns this writer now. */
  readonly superseded: () => void;
}

export type Api = ReturnType<typeof createApi>;

export function createApi(platform: Platform, options: ApiOptions) {
  const { database, log, metrics } = platform;
  const base = createBase(platform, {
    ...options,
    superseded: once(options.superseded),
    tiers: { find: (accountId) => products.tiers.find(accountId) },
    identities: (merchantId, id) => products.customers.customers.identities(merchantId, id),
  });
  const products = createProducts(platform, base);
  const { merchant, programs, giftcard, wallet, rules, cards, shards, ledger } = base;
  const { payments, tiers, rewards, customers, liability } = products;
  const identity = createIdentityModule({ database });
  const bulk = createBulkModule({ ledger: ledger.lines, log, metrics });
  const handlers: Handlers = {
    ...merchant.handlers,
    ...createAuditModule({ database }).handlers,
    ...programs.handlers,
    ...identity.handlers,
    ...giftcard.handlers,
    ...cards.handlers,
    ...wallet.handlers,
    ...rules.handlers,
    ...tiers.handlers,
    ...rewards.handlers,
    ...ledger.handlers,
    ...shards.handlers,
    ...bulk.handlers,
    ...payments.handlers,
    ...liability.handlers,
    ...customers.handlers,
  };
  const readGenerations = async () => ({ catalog: await giftcard.catalogGeneration() });
  const { listRevocations } = identity;
  return {
    handlers,
    merchant,
    listRevocations,
    readGenerations,
    ledger,
    shards,
    cards,
    payments,
    tiers,
    rewards,
    customers,
    liability,
  };
}

function once(run: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) run();
    isDone = true;
  };
}
