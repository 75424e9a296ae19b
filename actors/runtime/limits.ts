/** The runtime's bounds and their relations. Times are milliseconds. All can be set; these are the defaults. */
import { positionBounds } from '@local-plus/contracts';

export interface RuntimeLimits {
  /** Commands of one statement; the place in a batch has ten bits. */
  readonly batchCommandsMax: number;
  /** Parts of one request: a transfer has two, a group one per line. */
  readonly partsMax: number;
  /** Batches in the air at a time; 1: the next one waits for the reply. */
  readonly flightsMax: number;
  /** How many commands have to be ready for a batch to follow one that is in the air. */
  readonly overlapCommandsMin: number;
  /** Commands are decided without a look-up of their keys, until one was used. */
  readonly isOptimistic: boolean;
  /** How many keys are looked up, for each command that was undone because a key was used, before the next optimistic batch. */
  readonly optimismAfterKeys: number;
  /** Look-ups of one statement, of keys and of accounts each. */
  readonly lookUpsMax: number;
  /**
   * How long a command may have to wait for its turn, as far as can be told when it comes; one that would wait longer is
   * refused as overloaded. What fits into the next statement never is.
   */
  readonly queueMsMax: number;
  /** A tenant may have so many times as many rows waiting as there are places free: 4 lets it have 80 % alone. */
  readonly tenantShare: number;
  /** Tenants that are known by name; one of whom nothing waits makes room, else newcomers share. */
  readonly tenantsMax: number;
  /** How long who is refused is asked to stay away. */
  readonly retryAfterMsMin: number;
  readonly retryAfterMsMax: number;
  /** Commands that wait for one account; one more is refused as overloaded. */
  readonly mailboxMax: number;
  /** Commands and reads that wait in the whole process. */
  readonly pendingMax: number;
  /** Actors in memory; idle ones make room, the least recently used first. */
  readonly actorsMax: number;
  /** How many of them stay, however little they hold; the state of a further one is packed away, if it fits the shelf. */
  readonly actorsRecentMax: number;
  /** Accounts without an actor whose state is in memory all the same: a power of two from 8 on; 128 bytes each, once there was one. */
  readonly shelfPlaces: number;
  /** Commands that one account may put into a batch before it is looked at again who else can go on. */
  readonly turnCommandsMax: number;
  /** How often what waits is looked through for passed deadlines: how late such an answer may be. */
  readonly sweepMs: number;
  /** How often a drain looks whether what is under way has finished. */
  readonly drainPollMs: number;
  /** The pause after a failure, doubled up to the maximum while the store stays away. */
  readonly backoffMs: number;
  readonly backoffMsMax: number;
}

export const runtimeLimits: RuntimeLimits = {
  batchCommandsMax: 1_000,
  partsMax: 100,
  flightsMax: 2,
  overlapCommandsMin: 64,
  isOptimistic: true,
  optimismAfterKeys: 16,
  lookUpsMax: 1_000,
  queueMsMax: 1_000,
  tenantShare: 4,
  tenantsMax: 4_096,
  retryAfterMsMin: 1_000,
  retryAfterMsMax: 10_000,
  mailboxMax: 2_000,
  pendingMax: 20_000,
  actorsMax: 200_000,
  actorsRecentMax: 100_000,
  shelfPlaces: 2 ** 20,
  turnCommandsMax: 256,
  sweepMs: 250,
  drainPollMs: 2,
  backoffMs: 50,
  backoffMsMax: 1_000,
};

/** Throws when the bounds contradict each other. */
export function checkRuntimeLimits(limits: RuntimeLimits): void {
  const relations: readonly [boolean, string][] = [
    [limits.batchCommandsMax <= positionBounds.placeMax + 1, 'a batch has at most 1,024 places'],
    [limits.turnCommandsMax <= limits.batchCommandsMax, 'a turn fits into a batch'],
    [limits.partsMax <= positionBounds.placeMax + 1, 'a request fits into a batch of its own'],
    [limits.flightsMax >= 1, 'one batch at least can be in the air'],
    [limits.overlapCommandsMin <= limits.batchCommandsMax, 'what is worth a batch fits into one'],
    [limits.optimismAfterKeys >= 0, 'keys are counted'],
    [limits.mailboxMax <= limits.pendingMax, 'one mailbox cannot hold more than the process'],
    [limits.pendingMax <= limits.actorsMax, 'every pending command may need an actor of its own'],
    [limits.actorsRecentMax >= 1, 'the account that was used last has an actor'],
    [limits.actorsRecentMax <= limits.actorsMax, 'who is recent is in memory'],
    [limits.tenantShare > 0, 'a tenant may have something waiting'],
    [limits.tenantsMax >= 1, 'one tenant at least is known'],
    [limits.retryAfterMsMin <= limits.retryAfterMsMax, 'who is refused is asked to stay away for some time'],
    [limits.backoffMs <= limits.backoffMsMax, 'the backoff grows towards its maximum'],
  ];
  for (const [holds, relation] of relations) {
    if (!holds) throw new Error(`runtime limits: ${relation}`);
  }
}
