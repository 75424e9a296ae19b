/**
 * The shards module: which process serialises which accounts, how shards move between processes, and how any process
 * answers any request. Owner of `shards`, `members`, `shard_moves`.
 *
 * Safe by the writer's epoch alone (map.ts, store.ts); quick by beats (keeper.ts, watch.ts).
 */
import type { Log } from '@local-plus/actors';
import { type SigningKey, limits as wire } from '@local-plus/contracts';
import type { LocalRuntime, Sharing } from '../ledger/index.ts';
import type { Handlers, PeerAnswers } from '../platform/http/index.ts';
import type { Database } from '../platform/postgres/index.ts';
import type { Metrics } from '../platform/telemetry/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { shardHandlers } from './handler.ts';
import { Keeper } from './keeper.ts';
import { checkShardLimits, type ShardLimits, shardLimits } from './limits.ts';
import { Listener } from './listener.ts';
import { ShardMap } from './map.ts';
import { registerShardMetrics } from './metrics.ts';
import type { Lane } from './moves.ts';
import { PeerLinks } from './peer-link.ts';
import { RoutedAccounts } from './routed-accounts.ts';
import { type Arrival, channel, ShardStore } from './store.ts';
import { messageSchema, questionsOf, repliesText } from './wire.ts';

export { type ShardLimits, shardLimits } from './limits.ts';
export type { Arrival } from './store.ts';

export interface ShardsOptions {
  readonly databaseUrl: string;
  readonly database: Database;
  readonly writerId: number;
  /** `host:port` where the other processes reach this one; asked from the first beat on. */
  readonly address: () => string;
  /** Signs what this process asks of others. */
  readonly signingKey: SigningKey;
  /** Who publishes the events; null: nobody in this process. */
  readonly relay: {
    expect(arrivals: readonly Arrival[]): void;
    tend(writerIds: readonly number[]): void;
  } | null;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Another process took over: this one must end. */
  readonly superseded: () => void;
  readonly limits?: ShardLimits;
}

export interface ShardsModule {
  readonly handlers: Handlers;
  readonly peers: PeerAnswers;
  /** Once: for the ledger. */
  share(local: LocalRuntime): Sharing;
  /** Hands every shard to the others, if there are any, within `graceMs`. Requests are answered all the while. */
  drain(graceMs: number): Promise<void>;
  /** Whoever waits for another process is told; the others are told that nobody runs here. Never rejects. */
  stop(): Promise<void>;
}

export function createShards(options: ShardsOptions): ShardsModule {
  const { writerId, log, relay, databaseUrl, signingKey } = options;
  const limits = options.limits ?? shardLimits;
  checkShardLimits(limits);
  const ports = { clock: systemClock, timer: systemTimer, log, limits };
  const map = new ShardMap(writerId);
  const store = new ShardStore(options.database);
  let lane: Lane | null = null;
  let routed: RoutedAccounts | null = null;
  const shared = <Part>(part: Part | null): Part => {
    if (part === null) throw new Error('the ledger has not been shared yet');
    return part;
  };
  const keeper = new Keeper({
    ...ports,
    map,
    store,
    lane: {
      drain: (belongs, graceMs) => shared(lane).drain(belongs, graceMs),
      get status() {
        return shared(lane).status;
      },
    },
    address: options.address,
    relays: relay !== null,
    expect: (arrivals) => relay?.expect(arrivals),
    tend: (writerIds) => relay?.tend(writerIds),
    changed: () => routed?.changed(),
    superseded: options.superseded,
  });
  const links = new PeerLinks({ ...limits, signingKey, addressOf: (id) => keeper.addressOf(id) });
  const listener = new Listener({ databaseUrl, channel, heard: () => keeper.poke(), timer: systemTimer, log });
  registerShardMetrics(options.metrics, map, keeper, () => shared(routed));

  return {
    handlers: shardHandlers({ writerId, store, isLive: (id) => keeper.isLive(id) }),
    peers: {
      message: messageSchema(limits.messageItemsMax),
      bytesMax: limits.messageBytesMax,
      budgetMs: wire.bulkBudgetMs,
      inFlightMax: limits.messagesServedMax,
      async answer(message) {
        return repliesText(await shared(routed).answer(questionsOf(message, systemClock.monotonicMs())));
      },
    },
    share(local) {
      lane = local;
      const accounts = new RoutedAccounts({
        ...ports,
        map,
        local,
        peers: links,
        isJoined: () => keeper.isJoined,
        mayShowState: () => keeper.mayShowState,
        poke: () => keeper.poke(),
      });
      routed = accounts;
      return {
        accounts,
        join: async () => {
          if (local.status.lane !== 'running') return;
          listener.start();
          await keeper.join();
        },
        shardsHere: () => (map.ownsAll ? null : map.here),
        reasons: () => (keeper.isJoined ? [] : ['the process has not joined the others']),
      };
    },
    drain: (graceMs) => keeper.drain(graceMs),
    async stop() {
      routed?.stop();
      await keeper.stop();
      await listener.stop();
      links.close();
    },
  };
}
