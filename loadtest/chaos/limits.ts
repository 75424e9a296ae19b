/** The bounds of the chaos suite, in one place. Times are milliseconds unless the name says otherwise. */

export const limits = {
  cores: 3,
  wallets: 48,
  /** What each wallet has before the first fault. */
  openingPoints: 5_000,
  amountMax: 60,

  ratePerSDefault: 60,
  ratePerSMax: 2_000,
  secondsDefault: 300,
  secondsMax: 24 * 3_600,
  seedMax: 2 ** 31,

  /** Calls under way; past it the clock goes on and nothing is sent. */
  inFlightMax: 600,
  /** All calls of a run are in memory when it is judged. */
  callsMax: 2_000_000,
  /** A good client: how long it waits for an answer, how often it asks, and its pauses, which double and are jittered. */
  attemptMs: 6_000,
  attemptsMax: 12,
  backoffMsMin: 50,
  backoffMsMax: 1_500,
  retryAfterMsMax: 5_000,
  /** Answers kept by a client to use them later: holds to capture, earns to reverse, calls to repeat. */
  rememberedMax: 50,
  tickMs: 5,

  /** A death is noticed after three seconds; whoever comes back later than this was replaced. */
  replacedMs: 4_000,
  /** How long a stopped process may keep its shards before the zombie goes on regardless. */
  takeOverMs: 15_000,
  /** How long a part may take to answer again after a fault. */
  backMs: 90_000,
  /** How long a part is asked whether it is ready, each time. */
  probeMs: 1_000,
  pollMs: 50,
  /** Before the first fault, after the last one. */
  calmMs: 2_000,
  /** How long a question of the suite's own to Postgres may take. */
  questionMs: 2_000,

  /** How long everything may take to settle once nothing is broken any more. */
  settleMs: 60_000,
  /** … where it will not, because core was broken on purpose. */
  settleBrokenMs: 3_000,
  attemptsBrokenMax: 3,
  /** Of calls whose end nobody knows: this share is asked for again, the rest is left to the ledger to tell. */
  settledShare: 0.8,
  /** Of answered writes, the share that is sent again later, for the same answer. */
  repeatedShare: 0.05,

  /** The disk of Postgres when it is to run full. */
  diskBytes: 1_536 * 1_024 * 1_024,
  /** The checkpoints that keep its log from filling it otherwise. */
  checkpointMs: 20_000,

  /** How long a change of the network may take; the making of a whole one, on trial. */
  networkMs: 10_000,
  trialMs: 30_000,

  verifyMs: 300_000,
} as const;

if (limits.attemptMs <= limits.backoffMsMax) throw new Error('limits: a pause is shorter than an attempt');
if (limits.takeOverMs <= limits.replacedMs) throw new Error('limits: a replacement has time to happen');
