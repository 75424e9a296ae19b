/** The bounds of the outbox's publisher, and the relations between them. Times are milliseconds. All can be set. */
import { kafkaLimits } from '../platform/kafka/index.ts';

export interface OutboxLimits {
  /** Events of one read, and of one produce request; the request ends sooner at so many bytes of payload. */
  readonly rowsMax: number;
  readonly requestBytesMax: number;
  /** How often the table is looked at while little is waiting: half of it is an event's usual delay. */
  readonly pollMs: number;
  /** How often a process that does not publish asks whether it may. */
  readonly takeOverMs: number;
  /** A process that holds the lock and asks nothing for so long stands still: the server ends its session, and the lock with it. */
  readonly silenceMs: number;
  /** The pause after a failure, doubled up to the maximum, then shortened at random by up to a half. */
  readonly backoffMs: number;
  readonly backoffMsMax: number;
  /** How long what is published stays in the table, how often it is removed, and how much by one statement. */
  readonly retentionMs: number;
  readonly removeEveryMs: number;
  readonly removeRowsMax: number;
  /** How often the backlog is counted, and where counting ends. */
  readonly countEveryMs: number;
  readonly countRowsMax: number;
}

export const outboxLimits: OutboxLimits = {
  rowsMax: 200,
  // A broker takes a megabyte of one partition at a time; one payload has 64 KiB at most (the table's own bound).
  requestBytesMax: 512 * 1_024,
  pollMs: 200,
  takeOverMs: 2_000,
  silenceMs: 60_000,
  backoffMs: 100,
  backoffMsMax: 5_000,
  retentionMs: 3 * 24 * 3_600_000,
  removeEveryMs: 10_000,
  removeRowsMax: 1_000,
  countEveryMs: 5_000,
  countRowsMax: 100_000,
};

/** Throws when the bounds contradict each other. */
export function checkOutboxLimits(limits: OutboxLimits): void {
  const relations: readonly [boolean, string][] = [
    [limits.rowsMax >= 1, 'a request has an event'],
    [limits.backoffMs <= limits.backoffMsMax, 'the backoff grows towards its maximum'],
    // It connects and sends between two statements, each for so long at most.
    [limits.silenceMs > 2 * kafkaLimits.sendMs + limits.pollMs, 'who waits for Kafka does not stand still'],
    [limits.silenceMs > limits.takeOverMs, 'who waits for its turn keeps its connection'],
    [limits.pollMs <= limits.takeOverMs, 'who publishes looks more often than who waits for its turn'],
  ];
  for (const [holds, relation] of relations) {
    if (!holds) throw new Error(`outbox limits: ${relation}`);
  }
}
