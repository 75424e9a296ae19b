/**
 * The wallet module: who owns a wallet, and in which program it stands. Owner of `wallets`. It knows nothing of the
 * ledger but a port for balances.
 */
import type { AccountId, CustomerId, MerchantId, ProgramId, WalletId, wallets } from '@local-plus/contracts';
import { Batcher } from '../platform/batching/index.ts';
import { type Handlers, ProblemError } from '../platform/http/index.ts';
import { type Creation, type Database, DatabaseUnavailable } from '../platform/postgres/index.ts';
import type { Metrics } from '../platform/telemetry/index.ts';
import { walletDirectory } from './directory.ts';
import type { ProgramDirectory, WalletFacts } from './domain.ts';
import { shownWallet, type WalletBalances, walletHandlers } from './handler.ts';
import { type MembershipLimits, Memberships } from './memberships.ts';
import { type NewWallet, type WalletRow, WalletStore } from './store.ts';

export type { ProgramDirectory, WalletFacts } from './domain.ts';
export type { WalletBalances } from './handler.ts';

export interface WalletOptions {
  readonly database: Database;
  readonly programs: ProgramDirectory;
  readonly balances: WalletBalances;
  readonly metrics: Metrics;
  readonly limits: MembershipLimits & {
    readonly walletsHeldMax: number;
    readonly walletBatchMax: number;
    readonly walletWaitingMax: number;
  };
}

type Found<Facts> = Facts | null | Promise<Facts | null>;

export interface WalletModule {
  readonly handlers: Handlers;
  /** At once when it is in memory; null: there is no such wallet. */
  facts(walletId: WalletId): Found<WalletFacts>;
  /** The same for the ledger, to which a wallet is an account. */
  readonly accounts: {
    find(accountId: AccountId): Found<WalletFacts>;
    /** Only from memory. */
    known(accountId: AccountId): WalletFacts | undefined;
  };
  /** null: it has none. */
  customerOf(walletId: WalletId): Promise<string | null>;
  /** The wallets of a program in the order of their ids, from behind `after` (null: the first). */
  ofProgram(programId: ProgramId, after: WalletId | null, rowsMax: number): Promise<readonly WalletId[]>;
  /** A merchant's wallets that were created for any of these customers, newest first, from below `after` (null: the newest). */
  ofCustomers(
    merchantId: MerchantId,
    customerIds: readonly CustomerId[],
    after: WalletId | null,
    rowsMax: number,
  ): Promise<readonly wallets.Wallet[]>;
}

export function createWalletModule(options: WalletOptions): WalletModule {
  const { limits, metrics } = options;
  const store = new WalletStore(options.database);
  const bounds = {
    batchMax: limits.walletBatchMax,
    waitingMax: limits.walletWaitingMax,
    concernsAll: (error: unknown) => error instanceof DatabaseUnavailable,
    refusal: () => new ProblemError('overloaded'),
  };
  const rows = new Batcher<WalletId, WalletRow | null>({ ...bounds, run: (ids) => store.findMany(ids) });
  const creations = new Batcher<NewWallet, Creation<WalletRow>>({
    ...bounds,
    run: (wanted) => store.createMany(wanted),
  });
  const memberships = new Memberships(limits);
  const directory = walletDirectory(rows, options.programs, limits.walletsHeldMax, memberships);
  metrics.gauge('wallet_directory_held', 'Wallets of which more than the program is held.', () => [
    { value: directory.counts.held },
  ]);
  metrics.gauge('wallet_memberships_held', 'Wallets whose program is in memory.', () => [{ value: memberships.size }]);
  metrics.counter('wallet_directory_total', 'Look-ups of wallets, by whether they were in memory.', () => [
    { labels: { result: 'hit' }, value: directory.counts.hits },
    { labels: { result: 'miss' }, value: directory.counts.misses },
  ]);
  return {
    handlers: walletHandlers({
      rows,
      creations,
      directory,
      programs: options.programs,
      balances: options.balances,
      nowMs: Date.now,
    }),
    facts: (walletId) => directory.find(walletId),
    customerOf: async (walletId) => (await rows.submit(walletId))?.customer_id ?? null,
    ofProgram: (programId, after, rowsMax) => store.ofProgram(programId, after, rowsMax),
    async ofCustomers(merchantId, customerIds, after, rowsMax) {
      const found = await store.ofCustomers(merchantId, customerIds, after, rowsMax);
      return Promise.all(found.map((row) => shownWallet(row, options.balances)));
    },
    accounts: {
      find: (accountId) => directory.find(accountId as string as WalletId),
      known: (accountId) => directory.known(accountId as string as WalletId),
    },
  };
}
