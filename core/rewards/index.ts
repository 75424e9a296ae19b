/**
 * The rewards module: what points are given for. Owner of `rewards`, `reward_changes`, `reward_redemptions`,
 * `reward_cancellations`.
 *
 * Points move through the ledger's desk only. A redemption is written down before they do, so whatever dies in between, it is
 * brought to its end: by the request sent again, or by the sweep.
 */
import type { Log } from '@local-plus/actors';
import type { Handlers } from '../platform/http/index.ts';
import type { Database } from '../platform/postgres/index.ts';
import type { Metrics } from '../platform/telemetry/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { rewardHandlers } from './handler.ts';
import type { HandlerPorts } from './ports.ts';
import { type ProcessPorts, RedemptionProcess } from './process.ts';
import { redemptionHandlers } from './redemptions-handler.ts';
import { RedemptionStore } from './redemptions-store.ts';
import { RewardStore } from './store.ts';
import { redemptionSweep } from './sweep.ts';

export type { CardOrder } from './process.ts';

export interface RewardOptions
  extends Pick<HandlerPorts, 'programs' | 'accounts' | 'customerOf' | 'tiers'>,
    Pick<ProcessPorts, 'desk' | 'issueCard'> {
  readonly database: Pick<Database, 'read' | 'write'>;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface RewardModule {
  readonly handlers: Handlers;
  start(): void;
  stop(): Promise<void>;
}

export function createRewardModule(options: RewardOptions): RewardModule {
  const { database, log, metrics } = options;
  const redemptions = new RedemptionStore(database);
  const nowMs = Date.now;
  const process = new RedemptionProcess({ ...options, store: redemptions, nowMs });
  const sweep = redemptionSweep({ store: redemptions, process, clock: systemClock, timer: systemTimer, log });
  metrics.counter('rewards_swept_total', 'Redemptions that the sweep brought to rest.', () => [
    { value: sweep.settled },
  ]);
  metrics.gauge('rewards_aside', 'Redemptions in trouble, set aside for a while.', () => [{ value: sweep.aside }]);
  const ports: HandlerPorts = { ...options, store: new RewardStore(database), redemptions, process, nowMs };
  return {
    handlers: { ...rewardHandlers(ports), ...redemptionHandlers(ports) },
    start: () => sweep.start(),
    stop: () => sweep.stop(),
  };
}
