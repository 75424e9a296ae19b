/**
 * The ledger module: every movement of points, and their history. Owner of `transactions`, `refusals`, `account_states`,
 * `account_dues`, `open_transfers`, `writers`.
 *
 * The only place where the runtime of actors/ meets Postgres and HTTP.
 */
import { type AccountState, type CommittedBatch, type Log, Runtime, type RuntimeLimits } from '@local-plus/actors';
import type { AccountId } from '@local-plus/contracts';
import type { Registry } from 'prom-client';
import { sha256Hex } from '../platform/digest/index.ts';
import type { Handlers, Pressure } from '../platform/http/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { type LocalRuntime, type Sharing, unshared } from './account-runtime.ts';
import { type LedgerDatabase, type LedgerDatabases, oneDatabase } from './databases.ts';
import { type Desk, ledgerDesk } from './desk.ts';
import { findDue } from './dues.ts';
import { type Earnings, ledgerEarnings } from './earnings.ts';
import { type LedgerFlows, ledgerFlows } from './flows.ts';
import { type AccountDirectory, ledgerHandlers, type Purchases } from './handler.ts';
import { type LedgerLines, ledgerLines } from './lines.ts';
import { registerLedgerMetrics } from './metrics.ts';
import { ledgerPressure } from './pressure.ts';
import { LedgerReads } from './reads.ts';
import { PostgresLedgerStore, storeDefaults } from './store.ts';
import { committedState } from './submission.ts';
import { DueSweep } from './sweep.ts';
import { ledgerTransfers } from './transfers.ts';

export type { AccountRuntime, LocalRuntime, Sharing } from './account-runtime.ts';
export { type LedgerDatabase, type LedgerDatabases, oneDatabase } from './databases.ts';
export {
  type Desk,
  type DeskTransaction,
  deskKey,
  type Order,
  type Receipt,
  refuseManaged,
  type TransferMovement,
  type TransferOrder,
} from './desk.ts';
export type { Earner, Earnings } from './earnings.ts';
export type { Flow, Flows, LedgerFlows } from './flows.ts';
export type { AccountDirectory, AccountTerms, Purchases } from './handler.ts';
export type { Movement, Note, Show } from './submission.ts';
export { beginningOf, type Tail } from './tails.ts';
export { chained, type KnowingDirectory } from './terms.ts';
export { newHoldJson, refusalProblem } from './wire.ts';

export interface LedgerOptions {
  /** Where this process commits. Its pool is for reads of the past and for open transfers: the lane has its own connections. */
  readonly database: LedgerDatabase;
  /** Where accounts are; absent: all are in that one. */
  readonly databases?: LedgerDatabases;
  readonly writerId: number;
  readonly accounts: AccountDirectory;
  readonly purchases: Purchases;
  readonly log: Log;
  readonly registry: Registry;
  readonly limits?: RuntimeLimits;
  /** Called in batch order, right after each commit. Must be quick and must not throw. */
  readonly committed: (batch: CommittedBatch) => void;
  /** Another process took the writer over: this one must end. */
  readonly superseded: () => void;
  /** How accounts are shared with other processes; absent: this one owns them all. */
  readonly share?: (local: LocalRuntime) => Sharing;
}

export interface AccountBalance {
  readonly balance: number;
  readonly held: number;
  readonly version: number;
  readonly frozen: boolean;
}

export interface Ledger {
  readonly handlers: Handlers;
  /** Asked before a movement's body is looked at. */
  readonly pressure: Pressure;
  /** For bulk: the single request's way, line by line. */
  readonly lines: LedgerLines;
  /** For other modules of core. */
  readonly desk: Desk;
  /** What is committed; a page only up to a version that a state has shown (I4). */
  readonly history: Pick<LedgerReads, 'page' | 'one'>;
  /** Who earned what, row by row, for who counts it. */
  readonly earnings: Earnings;
  /** Sums of the rows, piece by piece, for who reports them. */
  readonly flows: LedgerFlows;
  readonly balances: {
    /** The committed balance. Throws the problem `unavailable` while the store is away. */
    balance(accountId: AccountId): Promise<AccountBalance>;
  };
  readonly states: {
    /** The committed state. Throws the problem `unavailable` while the store is away. */
    read(accountId: AccountId): Promise<AccountState>;
  };
  /** Whether a write would be accepted now, and why not. */
  readiness(): { readonly ok: boolean; readonly reasons: readonly string[] };
  /** Claims the writer; resolves when writes are accepted. Keeps trying while Postgres is away. */
  start(): Promise<void>;
  /** Lets what is accepted finish, for `graceMs` at most. */
  stop(graceMs: number): Promise<void>;
}

export function createLedger(options: LedgerOptions): Ledger {
  const { database, writerId, log, committed, superseded, limits } = options;
  const databases = options.databases ?? oneDatabase(database);
  const storeOf = ({ url }: LedgerDatabase) => new PostgresLedgerStore({ databaseUrl: url, ...storeDefaults });
  const runtime = new Runtime({
    store: storeOf(database),
    clock: systemClock,
    timer: systemTimer,
    log,
    digest: sha256Hex,
    writerId,
    committed,
    superseded,
    ...(limits ? { limits } : {}),
  });
  const sharing = (options.share ?? unshared)(runtime);
  const { accounts } = sharing;
  const sweep = new DueSweep({
    find: (nowMs, accountsMax) => findDue(database.pool, nowMs, accountsMax, sharing.shardsHere()),
    submit: (request) => accounts.submit(request),
    read: (accountId) => accounts.read(accountId),
    clock: systemClock,
    timer: systemTimer,
    log,
  });
  registerLedgerMetrics(options.registry, runtime, sweep);
  const { registry } = options;
  const transfers = ledgerTransfers({ accounts, databases, database, log, registry });
  const lines = ledgerLines({
    runtime: accounts,
    accounts: options.accounts,
    databases,
    storeOf,
  });
  const reads = new LedgerReads(databases);
  const handlers = ledgerHandlers({
    runtime: accounts,
    transfers,
    reads,
    accounts: options.accounts,
    purchases: options.purchases,
    nowMs: Date.now,
  });
  return {
    lines,
    desk: ledgerDesk({ runtime: accounts, transfers }),
    history: reads,
    earnings: ledgerEarnings(databases),
    flows: ledgerFlows(databases),
    handlers,
    pressure: ledgerPressure(handlers, accounts),
    balances: { balance: (accountId) => committedState(accounts, accountId) },
    states: { read: (accountId) => committedState(accounts, accountId) },
    readiness: () => {
      const { lane } = runtime.status;
      const reasons = lane === 'running' ? sharing.reasons() : [`the commit lane is ${lane}`];
      return { ok: reasons.length === 0, reasons };
    },
    start: async () => {
      await runtime.start();
      await sharing.join();
      sweep.start();
      transfers.start();
    },
    stop: async (graceMs) => {
      // What the sweeps still wait for is answered by the runtime's stop at the latest.
      const swept = Promise.all([sweep.stop(), transfers.stop()]);
      await runtime.stop(graceMs);
      await swept;
      await lines.close();
    },
  };
}
