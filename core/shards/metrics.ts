/** What is told of sharing. Counters live in their parts as plain numbers; they are read when somebody asks. */
import type { Metrics } from '../platform/telemetry/index.ts';
import type { Keeper } from './keeper.ts';
import type { ShardMap } from './map.ts';
import type { Neighbour } from './neighbour.ts';
import type { RoutedAccounts } from './routed-accounts.ts';

export interface ShardParts {
  readonly map: ShardMap;
  readonly keeper: Keeper;
  readonly neighbours: readonly Neighbour[];
  readonly routed: () => RoutedAccounts;
}

export function registerShardMetrics(metrics: Metrics, { map, keeper, neighbours, routed }: ShardParts): void {
  const gauges: readonly (readonly [string, string, () => number])[] = [
    ['shards_owned', 'Shards that this process serves.', () => map.countHere],
    [
      'shards_members',
      'Processes of this database that have joined, the silent ones included.',
      () => keeper.view?.members.length ?? 0,
    ],
    ['shards_waiting', 'Requests that wait for another process, or for a shard on its way.', () => routed().waiting],
    [
      'shards_hand_over_pause_seconds',
      'How long the last shards that were handed over were not served here before.',
      () => keeper.moves.counters.pauseMsLast / 1_000,
    ],
  ];
  for (const [name, help, value] of gauges) metrics.gauge(name, help, () => [{ value: value() }]);
  metrics.gauge('shards_database_age_seconds', 'How old is what is known of another database of the ledger.', () =>
    neighbours
      .filter(({ view }) => view !== null)
      .map(({ databaseId, ageMs }) => ({ labels: { database: String(databaseId) }, value: ageMs / 1_000 })),
  );
  const counters: readonly (readonly [string, string, () => number])[] = [
    ['shards_handed_over_total', 'Shards given to another process.', () => keeper.moves.counters.handedOver],
    ['shards_taken_over_total', 'Shards taken from processes that were gone.', () => keeper.moves.counters.takenOver],
    ['shards_doubts_total', 'Hand-overs of which the reply was lost.', () => keeper.moves.counters.doubts],
    ['shards_restless_total', 'Hand-overs that did not come to rest in time.', () => keeper.moves.counters.restless],
    ['shards_failures_total', 'Beats and looks at the map that failed.', () => keeper.failures],
    ['shards_forwarded_total', 'Requests sent to other processes.', () => routed().counters.forwarded],
    ['shards_messages_total', 'Messages that they went in.', () => routed().counters.messages],
    ['shards_messages_lost_total', 'Messages without a reply.', () => routed().counters.lost],
    ['shards_messages_not_taken_total', 'Messages that the other process refused.', () => routed().counters.notTaken],
    ['shards_served_total', 'Requests served for other processes.', () => routed().counters.served],
    [
      'shards_wrong_owner_told_total',
      'Requests refused, being served elsewhere.',
      () => routed().counters.wrongOwnersTold,
    ],
    [
      'shards_wrong_owner_heard_total',
      'Requests that went to the wrong process.',
      () => routed().counters.wrongOwnersHeard,
    ],
  ];
  for (const [name, help, value] of counters) metrics.counter(name, help, () => [{ value: value() }]);
}
