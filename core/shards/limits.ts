/** The bounds of sharing, and the relations between them. Times are milliseconds. All can be set; these are the defaults. */

export interface ShardLimits {
  /** To the process's own database, for beats, looks and moves only: one act, and a beat or a look beside it. */
  readonly connectionsMax: number;
  /** How often a process says that it is there, and looks who else is. */
  readonly beatMs: number;
  /** A process that shows no sign of life for this long is taken for dead. Decides how soon, never who may write. */
  readonly deadMs: number;
  /** As `deadMs`, for a writer that no process has joined as: nobody runs there, or one is about to join. */
  readonly absentMs: number;
  /** Own silence after which the others' signs of life are watched anew: it may have been us who did not look. */
  readonly gapMs: number;
  /** Committed state is shown from memory this long after the last beat, where there are others who may take over. */
  readonly leaseMs: number;
  /** Shards handed over at once: those wait together. */
  readonly groupMax: number;
  /** How long a group may take to come to rest before it is kept after all. */
  readonly restMs: number;
  /** The pause between two tries to learn what became of a hand-over, doubled up to the maximum. */
  readonly doubtMs: number;
  readonly doubtMsMax: number;
  /** Between two looks at the map that somebody asked for. */
  readonly refreshMs: number;

  /** Requests that wait for another process, or for a shard on its way: in all, and for one shard. */
  readonly waitingMax: number;
  readonly waitingPerShardMax: number;
  /** Requests of one message to another process, and about how many bytes of them. */
  readonly messageItemsMax: number;
  readonly messageBytesAim: number;
  /** What the receiver reads at most: the aim, and one request of the largest kind. */
  readonly messageBytesMax: number;
  /** What an answer may have. */
  readonly answerBytesMax: number;
  /** Messages under way to one process; and those that one process works on. */
  readonly messagesMax: number;
  readonly messagesServedMax: number;
  /** How much later than the last deadline in it a message is given up. */
  readonly messageGraceMs: number;
  /** The pause before a request is sent again, doubled up to the maximum. */
  readonly againMs: number;
  readonly againMsMax: number;
  /** How often what waits is looked through for passed deadlines. */
  readonly sweepMs: number;
  /** How long a read of another process's account may take. */
  readonly readMs: number;
}

export const shardLimits: ShardLimits = {
  connectionsMax: 2,
  beatMs: 500,
  deadMs: 3_000,
  absentMs: 1_000,
  gapMs: 1_500,
  leaseMs: 2_000,
  groupMax: 32,
  restMs: 700,
  doubtMs: 50,
  doubtMsMax: 1_000,
  refreshMs: 10,

  waitingMax: 8_192,
  waitingPerShardMax: 2_000,
  messageItemsMax: 128,
  messageBytesAim: 262_144,
  messageBytesMax: 2_097_152,
  answerBytesMax: 67_108_864,
  messagesMax: 8,
  messagesServedMax: 1_024,
  messageGraceMs: 500,
  againMs: 5,
  againMsMax: 100,
  sweepMs: 50,
  readMs: 2_000,
};

/** Throws when the bounds contradict each other. */
export function checkShardLimits(limits: ShardLimits): void {
  const relations: readonly [boolean, string][] = [
    [limits.connectionsMax >= 2, 'a slow act does not keep beats waiting'],
    [limits.deadMs >= 4 * limits.beatMs, 'a process that misses some beats is not dead'],
    [limits.absentMs >= 2 * limits.beatMs, 'a process that has claimed its writer has time to join'],
    [limits.gapMs >= 2 * limits.beatMs && limits.gapMs < limits.deadMs, 'a missed beat is no gap, a gap is no death'],
    [limits.leaseMs < limits.deadMs, 'nobody takes over while committed state is still shown'],
    [limits.restMs < 1_000, 'a shard pauses for less than a second'],
    [limits.doubtMs <= limits.doubtMsMax && limits.againMs <= limits.againMsMax, 'pauses grow towards their maximum'],
    [limits.waitingPerShardMax <= limits.waitingMax, 'one shard cannot hold more than the process'],
    [limits.messageBytesAim < limits.messageBytesMax, 'a message has room for one more request'],
  ];
  for (const [holds, relation] of relations) {
    if (!holds) throw new Error(`shard limits: ${relation}`);
  }
}
