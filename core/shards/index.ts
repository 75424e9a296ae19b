/**
 * The shards module: in which database and by which process accounts are serialised, how shards move between processes, and
 * how any process answers any request. Owner of `shards`, `members`, `shard_moves`, `shard_databases`, `writer_databases`,
 * `ledger_database`.
 *
 * Safe by the writer's epoch alone (map.ts, store.ts); quick by beats (keeper.ts, watch.ts). Of several databases each is a
 * group of processes by itself (placement.ts), which hears of the others (neighbour.ts).
 */
import { type SigningKey, limits as wire } from '@local-plus/contracts';
import type { LedgerDatabase, LedgerDatabases, LocalRuntime, Sharing } from '../ledger/index.ts';
import { limits as core } from '../limits.ts';
import type { Handlers, PeerAnswers } from '../platform/http/index.ts';
import { createDatabase, type Database } from '../platform/postgres/index.ts';
import type { Log, Metrics } from '../platform/telemetry/index.ts';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import { Groups } from './groups.ts';
import { shardHandlers } from './handler.ts';
import { Keeper } from './keeper.ts';
import { checkShardLimits, type ShardLimits, shardLimits } from './limits.ts';
import { ShardMap } from './map.ts';
import { registerShardMetrics } from './metrics.ts';
import type { Lane } from './moves.ts';
import { PeerLinks } from './peer-link.ts';
import { Placement } from './placement.ts';
import { RoutedAccounts } from './routed-accounts.ts';
import { type Arrival, ShardStore } from './store.ts';
import { messageSchema, questionsOf, repliesText } from './wire.ts';

export { type ShardLimits, shardLimits } from './limits.ts';
export { PlacingError, placeShards } from './placing.ts';
export type { Arrival } from './store.ts';

export interface ShardsOptions {
  /** Of the ledger, the first one included. */
  readonly databases: readonly LedgerDatabase[];
  /** Where this process commits. */
  readonly own: LedgerDatabase;
  /** The first one's pool: all that is not the ledger. */
  readonly home: Pick<Database, 'read' | 'write'>;
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
  /** Where accounts are. */
  readonly databases: LedgerDatabases;
  /** Once: for the ledger. */
  share(local: LocalRuntime): Sharing;
  /** Hands every shard to the others, if there are any, within `graceMs`. Requests are answered all the while. */
  drain(graceMs: number): Promise<void>;
  /** Whoever waits for another process is told; the others are told that nobody runs here. Never rejects. */
  stop(): Promise<void>;
}

export function createShards(options: ShardsOptions): ShardsModule {
  const { writerId, log, relay, own, signingKey } = options;
  const limits = options.limits ?? shardLimits;
  checkShardLimits(limits);
  const ports = { clock: systemClock, timer: systemTimer, log, limits };
  const map = new ShardMap(writerId);
  // Beats have connections of their own: who has many slow requests is not dead.
  const beats = createDatabase({
    ...core,
    url: own.url,
    name: 'core-shards',
    connectionsMax: limits.connectionsMax,
    log,
  });
  const store = new ShardStore(beats);
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
  const { databases, home } = options;
  const changed = () => routed?.changed();
  const groups = new Groups({ ...ports, databases, own, ownStore: store, map, keeper, changed });
  const seenIn = (id: number) => groups.seenIn(id);
  const placement = new Placement({ ...ports, databases, own, home, writerId, seenIn, againMs: limits.beatMs });
  const links = new PeerLinks({ ...limits, signingKey, addressOf: (id) => groups.addressOf(id) });
  registerShardMetrics(options.metrics, { map, keeper, neighbours: groups.neighbours, routed: () => shared(routed) });

  return {
    handlers: shardHandlers({
      writerId,
      groups: groups.all,
      homeId: databases.find(({ pool }) => pool === home)?.id ?? null,
      home: new ShardStore(home),
      nowMs: systemClock.nowMs,
    }),
    databases: placement,
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
        confirmState: () => keeper.confirmState(),
        poke: () => groups.poke(),
      });
      routed = accounts;
      return {
        accounts,
        join: async () => {
          if (local.status.lane !== 'running') return;
          if (!(await placement.establish())) return;
          groups.start();
          await keeper.join();
        },
        shardsHere: () => (map.ownsAll ? null : map.here),
        reasons: () => (keeper.isJoined ? [] : [placement.fault ?? 'the process has not joined the others']),
      };
    },
    drain: (graceMs) => keeper.drain(graceMs),
    async stop() {
      routed?.stop();
      placement.stop();
      await keeper.stop();
      await groups.stop();
      links.close();
      await beats.close(core.closeMs);
    },
  };
}
