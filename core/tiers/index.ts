/**
 * The tiers module: what wallets have reached by the points that they earned. Owner of `tier_schemes`, `tier_programs`,
 * `wallet_tiers`, `tier_changes`, `tier_follower`, `tier_progress`.
 *
 * Nothing of it is in the way of an earn: it follows the ledger's rows, a moment later.
 */
import type { Log } from '@local-plus/actors';
import type { AccountId, ProgramId } from '@local-plus/contracts';
import type { Handlers } from '../platform/http/index.ts';
import type { Database } from '../platform/postgres/index.ts';
import type { Metrics } from '../platform/telemetry/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { Counting, type EarnedRows } from './counting.ts';
import { TierDirectory } from './directory.ts';
import { Follower, type FollowerPorts, type Tails } from './follower.ts';
import { type HandlerPorts, tierHandlers } from './handler.ts';
import { Schemes } from './schemes.ts';
import { TierStore } from './store.ts';

export { type Verified, type VerifyOptions, verifyTiers } from './verify.ts';

export interface TierOptions extends Pick<HandlerPorts, 'programs' | 'wallets'>, Pick<FollowerPorts, 'walletsOf'> {
  readonly database: Pick<Database, 'read' | 'write'>;
  readonly earnings: EarnedRows & Tails;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface TierModule {
  readonly handlers: Handlers;
  /** The tier as it was counted last, a few seconds old at most where nothing is in the way; null: none. */
  find(accountId: AccountId): string | null | Promise<string | null>;
  /** The tier by all that is committed; null: none, or the program has no tiers. */
  current(accountId: AccountId, programId: ProgramId): Promise<string | null>;
  start(): void;
  stop(): Promise<void>;
}

export function createTierModule(options: TierOptions): TierModule {
  const { database, earnings, log, metrics } = options;
  const store = new TierStore(database);
  const nowMs = Date.now;
  const counting = new Counting({ store, earnings, schemes: new Schemes(store), nowMs });
  const directory = new TierDirectory(store, () => performance.now());
  const follower = new Follower({ ...options, store, counting, clock: systemClock, timer: systemTimer, log });
  metrics.counter('tiers_rounds_total', 'Looks at the tail of the ledger for tiers.', () => [
    { value: follower.counters.rounds },
  ]);
  metrics.counter('tiers_troubles_total', 'Rounds that the database ended, and work that was set aside.', () => [
    { value: follower.counters.troubles + follower.counters.asides },
  ]);
  return {
    handlers: tierHandlers({ ...options, store, counting, nowMs }),
    find: (accountId) => directory.find(accountId),
    async current(accountId, programId) {
      const program = await store.program(programId);
      if (program === null) return null;
      return (await counting.read({ accountId, programId }, program.version)).state.tier;
    },
    start: () => follower.start(),
    stop: () => follower.stop(),
  };
}
