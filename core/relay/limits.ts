/** The relay's bounds, and the relations between them. Times are milliseconds. All can be set; these are the defaults. */
import { positionBounds } from '@local-plus/contracts';

export interface RelayLimits {
  /** Rows and batches that wait in memory; older ones are dropped then, and read from the table later. */
  readonly memoryRowsMax: number;
  readonly memoryBatchesMax: number;
  /**
   * Transactions of one produce request, two messages each: bounds how long making their text keeps the thread (2 ms). Twice
   * as many as 128 cost the broker a third less; past 256 kafkajs' grouping by partition, whose cost is the square, takes it back.
   */
  readonly requestRowsMax: number;
  /** Rows of one read of the table; more than a batch can have, so that every read has a whole batch. */
  readonly pageRowsMax: number;
  /**
   * Time between two produce requests while fewer than `requestRowsMax` wait; the first after a pause goes at once.
   * At 500 transactions a second, 50 ms cost a quarter less processor time than 20 ms here, and half as much at the broker.
   */
  readonly lingerMs: number;
  /** Time between two writes of the progress. */
  readonly progressMs: number;
  /** How long a stop waits for the last write of the progress. */
  readonly stopSaveMs: number;
  /** How often the table is looked at while nothing is offered: another process may be the writer. */
  readonly pollMs: number;
  /** How often it is asked whether a shard's former owner has published what this writer waits for. */
  readonly barrierPollMs: number;
  /** Writers that nobody runs any more of which the rest is published at once: each has a connection and a thread. */
  readonly tendedMax: number;
  /** How long one of them stands at barriers before it lets another begin, where there are more. */
  readonly tendedStillMs: number;
  /** Pauses while it stops: shorter than others, and yet not none, whatever is away. */
  readonly stopPauseMs: number;
  /** The pause after a failure, doubled up to the maximum, then shortened at random by up to a half. */
  readonly backoffMs: number;
  readonly backoffMsMax: number;
  /** Where counting the backlog for the gauge ends. */
  readonly backlogRowsMax: number;
}

export const relayLimits: RelayLimits = {
  memoryRowsMax: 20_000,
  memoryBatchesMax: 20_000,
  requestRowsMax: 256,
  pageRowsMax: 2_000,
  lingerMs: 50,
  progressMs: 200,
  stopSaveMs: 2_000,
  pollMs: 1_000,
  barrierPollMs: 50,
  tendedMax: 4,
  tendedStillMs: 2_000,
  stopPauseMs: 50,
  backoffMs: 100,
  backoffMsMax: 5_000,
  backlogRowsMax: 1_000_000,
};

/** Throws when the bounds contradict each other. */
export function checkRelayLimits(limits: RelayLimits): void {
  const relations: readonly [boolean, string][] = [
    [limits.pageRowsMax > positionBounds.placeMax + 1, 'a page holds at least one whole batch and a row of the next'],
    [limits.memoryRowsMax > positionBounds.placeMax, 'memory holds at least one whole batch'],
    [limits.requestRowsMax >= 1, 'a request has a row'],
    [limits.tendedMax >= 1, 'somebody is tended'],
    [
      limits.tendedStillMs >= 4 * limits.barrierPollMs && limits.tendedStillMs >= 4 * limits.progressMs,
      'whoever waits at a barrier has asked for it, and others have said how far they are',
    ],
    [limits.backoffMs <= limits.backoffMsMax, 'the backoff grows towards its maximum'],
  ];
  for (const [holds, relation] of relations) {
    if (!holds) throw new Error(`relay limits: ${relation}`);
  }
}
