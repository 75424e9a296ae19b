/**
 * The modules that everything else stands on: who there is (merchants, programs, wallets, cards), what rules they go by, and the
 * ledger. Some ask each other: what is asked for later is handed over as a function.
 */
import { createGiftcardModule } from '../giftcard/index.ts';
import { chained, createLedger, type Ledger } from '../ledger/index.ts';
import { limits } from '../limits.ts';
import { createMerchantModule } from '../merchant/index.ts';
import { createProgramModule, withCurrentRules } from '../program/index.ts';
import type { RelayService } from '../relay/index.ts';
import { createRulesModule } from '../rules/index.ts';
import { createShards, shardLimits } from '../shards/index.ts';
import type { TierModule } from '../tiers/index.ts';
import { createWalletModule } from '../wallet/index.ts';
import { createCards } from './cards.ts';
import type { Platform } from './platform.ts';

export interface BaseOptions {
  readonly relay: RelayService | null;
  /** `host:port` where other processes reach this one. */
  readonly address: () => string;
  /** Another process owns this writer now; called once. */
  readonly superseded: () => void;
  readonly tiers: Pick<TierModule, 'find'>;
  /** Who a merchant's customer is now. */
  readonly identities: Parameters<typeof createCards>[1]['customers']['identities'];
}

export type Base = ReturnType<typeof createBase>;

export function createBase(platform: Platform, { relay, address, superseded, tiers, identities }: BaseOptions) {
  const { config, database, databases, log, metrics } = platform;
  const merchant = createMerchantModule({
    ...platform,
    adminTokenDigest: config.adminTokenDigest,
    // What it sells is seen, or is not any more.
    stateChanged: () => giftcard.catalog.touch(),
    limits,
  });
  const programs = createProgramModule({ database, limits });
  const giftcard = createGiftcardModule({
    ...platform,
    isActive: async (merchantId) => (await merchant.tenants.find(merchantId))?.status === 'active',
    limits,
  });
  // Wallets ask the ledger for balances, the ledger asks wallets for terms: both ask only once both are there.
  const wallet = createWalletModule({
    database,
    programs,
    balances: { balance: (accountId) => ledger.balances.balance(accountId) },
    metrics,
    limits,
  });
  const states = { read: (accountId: Parameters<Ledger['states']['read']>[0]) => ledger.states.read(accountId) };
  const rules = createRulesModule({ database, programs, wallets: wallet.accounts, states, tiers });
  const cards = createCards(platform, {
    programs,
    ledger: {
      get desk() {
        return ledger.desk;
      },
      get history() {
        return ledger.history;
      },
      read: states.read,
    },
    accounts: { find: (accountId) => accounts.find(accountId) },
    catalog: giftcard.catalog,
    customers: { identities },
    timeZone: (merchantId) => merchant.settings.timeZone(merchantId),
  });
  const accounts = withCurrentRules(chained([wallet.accounts, cards.module.accounts]));
  const shards = createShards({
    ...platform,
    databases: databases.ledger.all,
    own: databases.ledger.own,
    home: database,
    writerId: config.writerId,
    address,
    signingKey: config.signingKeys[0],
    relay: config.kafkaBrokers.length > 0 ? relay : null,
    limits: { ...shardLimits, deadMs: config.memberDeadMs },
    superseded,
  });
  const ledger: Ledger = createLedger({
    database: databases.ledger.own,
    databases: shards.databases,
    writerId: config.writerId,
    accounts,
    purchases: rules.purchases,
    log,
    registry: metrics.registry,
    committed: (batch) => relay?.offer(batch),
    superseded,
    share: shards.share,
  });
  return { merchant, programs, giftcard, wallet, rules, cards, accounts, shards, ledger };
}
