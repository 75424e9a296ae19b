/**
 * The customer module: who a person is, and that he or she can be forgotten. Owner of `customers`, `customer_contacts`,
 * `customer_keys`, `customer_changes` and `customer_consents`.
 *
 * Nobody else knows anything personal: wallets and cards have a customer's id, the ledger and the events not even that.
 */
import type { CustomerId, MerchantId, SigningKey } from '@local-plus/contracts';
import type { Handlers } from '../platform/http/index.ts';
import type { Database } from '../platform/postgres/index.ts';
import type { Log, Metrics } from '../platform/telemetry/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { consentHandlers } from './consents-handler.ts';
import { ConsentStore } from './consents-store.ts';
import { type CustomerWallets, type ExportedRoutes, exportHandlers } from './export.ts';
import { customerHandlers } from './handler.ts';
import { lifecycleHandlers } from './lifecycle-handler.ts';
import { rewrapSweep } from './rewrap.ts';
import { CustomerStore } from './store.ts';
import { Vault } from './vault.ts';

export type { CustomerWallets } from './export.ts';

export interface CustomerOptions {
  readonly database: Pick<Database, 'read' | 'write'>;
  /** Of 32 bytes each, the newest first. Empty: nobody's contact details can be written down, or read. */
  readonly keys: readonly SigningKey[];
  readonly wallets: CustomerWallets;
  /** What answers for a wallet's transactions and tier, and for a customer's gift cards. */
  readonly routes: Pick<Handlers, 'wallets.transactions' | 'wallets.tier' | 'giftcards.list'>;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface CustomerModule {
  readonly handlers: Handlers;
  readonly customers: {
    /**
     * Under which ids a merchant's customer may have been written down: its own, that of whoever it was merged into, and of
     * everybody else who was. An id that is no customer's of this merchant stands for itself.
     */
    identities(merchantId: MerchantId, id: CustomerId): Promise<readonly CustomerId[]>;
  };
  /** Begins to wrap what older keys wrap. Returns at once and never throws. */
  start(): void;
  /** Never rejects. */
  stop(): Promise<void>;
}

export function createCustomerModule(options: CustomerOptions): CustomerModule {
  const { database, keys, wallets, routes, log, metrics } = options;
  const store = new CustomerStore(database);
  const consents = new ConsentStore(database);
  const [newest, ...older] = keys;
  const isMissing = (keyId: string) => log.error('customers are under a key that is not configured', { key_id: keyId });
  const vault = newest === undefined ? null : new Vault([newest, ...older], isMissing);
  const ports = { store, consents, vault, nowMs: Date.now };
  const times = { clock: systemClock, timer: systemTimer };
  const sweep = vault === null ? null : rewrapSweep({ store, vault, ...times, log, metrics });
  return {
    handlers: {
      ...customerHandlers(ports),
      ...lifecycleHandlers(ports),
      ...consentHandlers(ports),
      ...exportHandlers({ ...ports, wallets, parts: partsOf(routes) }),
    },
    customers: {
      async identities(merchantId, id) {
        const row = await store.customer(id);
        if (row === null || row.merchant_id !== merchantId) return [id];
        return (await store.family(row.root_id)).map((each) => each.id);
      },
    },
    start: () => sweep?.start(),
    stop: async () => sweep?.stop(),
  };
}

function partsOf(routes: CustomerOptions['routes']): ExportedRoutes {
  const { 'wallets.transactions': transactions, 'wallets.tier': tier, 'giftcards.list': giftcards } = routes;
  if (transactions === undefined || tier === undefined || giftcards === undefined) {
    throw new Error('nobody answers for a part of the export');
  }
  return { transactions, tier, giftcards };
}
