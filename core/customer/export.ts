/**
 * Wire ↔ everything about one customer: its wallets, and the export of all that is known.
 *
 * Each part is the first page of a route, as that route would answer: whoever wants more goes on there. No export leaves without
 * its entry in the audit trail.
 */
import type { CustomerId, MerchantId, WalletId, wallets } from '@local-plus/contracts';
import { idCursor, idOf, pageOf } from '../platform/cursor/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  cursorValue,
  type Handler,
  type Handlers,
  ProblemError,
} from '../platform/http/index.ts';
import { consentPage } from './consents-handler.ts';
import type { ConsentStore } from './consents-store.ts';
import { type HandlerPorts, shown } from './handler.ts';
import { customerLimits } from './limits.ts';
import { seenCustomer } from './seen.ts';
import { exportAudit } from './told.ts';

export interface CustomerWallets {
  /** Of any of these customers, newest first, with their balances, from below `after` on. */
  ofCustomers(
    merchantId: MerchantId,
    customers: readonly CustomerId[],
    after: WalletId | null,
    rowsMax: number,
  ): Promise<readonly wallets.Wallet[]>;
}

/** What answers each of these: so an export says what they say, and where they go on. */
export interface ExportedRoutes {
  readonly transactions: Handler<'wallets.transactions'>;
  readonly tier: Handler<'wallets.tier'>;
  readonly giftcards: Handler<'giftcards.list'>;
}

export interface ExportPorts extends HandlerPorts {
  readonly consents: ConsentStore;
  readonly wallets: CustomerWallets;
  readonly parts: ExportedRoutes;
}

export function exportHandlers(ports: ExportPorts): Handlers {
  return {
    'customers.wallets': (request) => listWallets(ports, request),
    'customers.export': (request) => exportAll(ports, request),
  };
}

async function listWallets(ports: ExportPorts, request: CoreRequest<'customers.wallets'>): Promise<CoreAnswer> {
  const { limit, cursor } = request.queryValues;
  const after = cursorValue(cursor, idOf<WalletId>);
  const { root_id, merchant_id } = await seenCustomer(ports.store, request);
  const family = (await ports.store.family(root_id)).map(({ id }) => id);
  const page = await walletPage(ports.wallets, merchant_id, family, after, limit);
  return { status: 200, body: JSON.stringify({ data: page.rows, next_cursor: page.nextCursor }) };
}

async function exportAll(ports: ExportPorts, request: CoreRequest<'customers.export'>): Promise<CoreAnswer> {
  const { exportWalletsMax, exportConsentsMax } = customerLimits;
  const { root_id, merchant_id } = await seenCustomer(ports.store, request);
  const family = await ports.store.family(root_id);
  const root = family.find(({ id }) => id === root_id);
  if (root === undefined) throw new Error('a customer is not of its own family');
  const ids = family.map(({ id }) => id);
  // The operator is answered as the merchant is.
  const asking = { ...request, context: { ...request.context, merchantId: merchant_id } };
  const [consents, giftcards, { rows, nextCursor }] = await Promise.all([
    consentPage(ports.consents, root_id, { limit: exportConsentsMax, after: null, purpose: null }),
    giftcardsOf(ports.parts, asking, root_id),
    walletPage(ports.wallets, merchant_id, ids, null, exportWalletsMax),
  ]);
  const data = await inTurn(rows, async (wallet) => ({
    wallet,
    tier: await tierOf(ports.parts, asking, wallet.id),
    transactions: await transactionsOf(ports.parts, asking, wallet.id),
  }));
  const nowMs = ports.nowMs();
  const merged = family.filter(({ id }) => id !== root_id);
  const body = {
    exported_at: new Date(nowMs).toISOString(),
    customer: shown(ports, root),
    merged: merged.map((row) => shown(ports, row)),
    consents,
    wallets: { data, next_cursor: nextCursor },
    giftcards,
  };
  const mergedIds = merged.map(({ id }) => id);
  await ports.store.record(exportAudit(request, root, mergedIds, nowMs));
  return { status: 200, body: JSON.stringify(body) };
}

type Asking = CoreRequest<'customers.export'>;

async function giftcardsOf({ giftcards }: ExportedRoutes, request: Asking, customer_id: string): Promise<unknown> {
  const queryValues = { limit: customerLimits.exportGiftcardsMax, customer_id };
  const asked = { ...request, routeId: 'giftcards.list', params: [], queryValues } as const;
  return JSON.parse((await giftcards(asked)).body);
}

async function transactionsOf({ transactions }: ExportedRoutes, request: Asking, walletId: string): Promise<unknown> {
  const queryValues = { limit: customerLimits.exportTransactionsMax };
  const asked = { ...request, routeId: 'wallets.transactions', params: [walletId], queryValues } as const;
  return JSON.parse((await transactions(asked)).body);
}

/** null: its program has no tiers. */
async function tierOf({ tier }: ExportedRoutes, request: Asking, walletId: string): Promise<unknown> {
  try {
    return JSON.parse((await tier({ ...request, routeId: 'wallets.tier', params: [walletId] })).body);
  } catch (error) {
    if (error instanceof ProblemError && error.code === 'no_tiers') return null;
    throw error;
  }
}

async function walletPage(
  port: CustomerWallets,
  merchantId: MerchantId,
  customers: readonly CustomerId[],
  after: WalletId | null,
  limit: number,
) {
  const found = await port.ofCustomers(merchantId, customers, after, limit + 1);
  return pageOf(found, limit, ({ id }) => idCursor(id));
}

/** In the order of `items`, a few at a time: others want to read, too. */
async function inTurn<Item, Result>(items: readonly Item[], read: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (let start = 0; start < items.length; start += customerLimits.exportConcurrencyMax) {
    const some = items.slice(start, start + customerLimits.exportConcurrencyMax);
    results.push(...(await Promise.all(some.map(read))));
  }
  return results;
}
