/**
 * The ledger module: every movement of points, and their history. Owner of `transactions`, `refusals`, `account_states`,
 * `account_dues`, `writers`, `shards`.
 *
 * The only place where the runtime of actors/ meets Postgres and HTTP.
 */
import { hash } from 'node:crypto';
import { type CommittedBatch, type Log, Runtime, type RuntimeLimits } from '@local-plus/actors';
import type { AccountId } from '@local-plus/contracts';
import type { Registry } from 'prom-client';
import { type Handlers, ProblemError } from '../platform/http/index.ts';
import type { Database } from '../platform/postgres/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { findDue } from './dues.ts';
import { type AccountDirectory, ledgerHandlers } from './handler.ts';
import { type LedgerLines, ledgerLines } from './lines.ts';
import { registerLedgerMetrics } from './metrics.ts';
import { LedgerReads } from './reads.ts';
import { PostgresLedgerStore, storeDefaults } from './store.ts';
import { DueSweep } from './sweep.ts';

export type { AccountDirectory, AccountTerms } from './handler.ts';

export interface LedgerOptions {
  readonly databaseUrl: string;
  /** For reads of the past; the commit lane has a connection of its own. */
  readonly database: Pick<Database, 'read'>;
  readonly writerId: number;
  readonly accounts: AccountDirectory;
  readonly log: Log;
  readonly registry: Registry;
  readonly limits?: RuntimeLimits;
  /** Called in batch order, right after each commit. Must be quick and must not throw. */
  readonly committed: (batch: CommittedBatch) => void;
  /** Another process took the writer over: this one must end. */
  readonly superseded: () => void;
}

export interface AccountBalance {
  readonly balance: number;
  readonly held: number;
  readonly version: number;
  readonly frozen: boolean;
}

export interface Ledger {
  readonly handlers: Handlers;
  /** For bulk: the single request's way, line by line. */
  readonly lines: LedgerLines;
  readonly balances: {
    /** The committed balance. Throws the problem `unavailable` while the store is away. */
    balance(accountId: AccountId): Promise<AccountBalance>;
  };
  /** Whether a write would be accepted now, and why not. */
  readiness(): { readonly ok: boolean; readonly reasons: readonly string[] };
  /** Claims the writer; resolves when writes are accepted. Keeps trying while Postgres is away. */
  start(): Promise<void>;
  /** Lets what is accepted finish, for `graceMs` at most. */
  stop(graceMs: number): Promise<void>;
}

export function createLedger(options: LedgerOptions): Ledger {
  const { databaseUrl, writerId, log, committed, superseded, limits } = options;
  const runtime = new Runtime({
    store: new PostgresLedgerStore({ databaseUrl, ...storeDefaults }),
    clock: systemClock,
    timer: systemTimer,
    log,
    digest: (text) => hash('sha256', text, 'hex'),
    writerId,
    committed,
    superseded,
    ...(limits ? { limits } : {}),
  });
  const sweep = new DueSweep({
    find: (nowMs, accountsMax) => findDue(options.database, nowMs, accountsMax),
    submit: (request) => runtime.submit(request),
    read: (accountId) => runtime.read(accountId),
    clock: systemClock,
    timer: systemTimer,
    log,
  });
  registerLedgerMetrics(options.registry, runtime, sweep);
  const lines = ledgerLines({
    runtime,
    accounts: options.accounts,
    store: new PostgresLedgerStore({ databaseUrl, ...storeDefaults }),
  });
  return {
    lines,
    handlers: ledgerHandlers({
      runtime,
      reads: new LedgerReads(options.database),
      accounts: options.accounts,
      nowMs: Date.now,
    }),
    balances: {
      balance: async (accountId) => {
        const state = await runtime.read(accountId);
        if (state === null) throw new ProblemError('unavailable');
        return state;
      },
    },
    readiness: () => {
      const { lane } = runtime.status;
      return lane === 'running' ? { ok: true, reasons: [] } : { ok: false, reasons: [`the commit lane is ${lane}`] };
    },
    start: async () => {
      await runtime.start();
      sweep.start();
    },
    stop: async (graceMs) => {
      // What the sweep still waits for is answered by the runtime's stop at the latest.
      const swept = sweep.stop();
      await runtime.stop(graceMs);
      await swept;
      await lines.close();
    },
  };
}
