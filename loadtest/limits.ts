/** The bounds of load tests, benches and the reconciler, in one place. Times are milliseconds unless the name says otherwise. */

export const limits = {
  /** Rows that are in memory at once while the ledger is read. */
  chunkRows: 5_000,
  /** Until the snapshots of several databases are of one moment: how often that is tried, and the pause in between. */
  snapshotTriesMax: 20,
  snapshotPauseMs: 250,
  /** Recorded answers that are looked up in one query. */
  chunkRecords: 2_000,
  /** Different keys in one record. */
  recordedKeysMax: 5_000_000,
  /** Characters of one line of a record. */
  recordLineCharsMax: 20_000,

  /** How long the reconciler waits for events while none arrives, and altogether. */
  drainIdleMs: 20_000,
  drainMs: 180_000,
  progressMs: 2_000,
  kafkaConnectMs: 3_000,

  /** Processor time and memory are read this often. */
  sampleMs: 1_000,
  /** k6 may take so much longer than its scenario: start, graceful stop, report. */
  k6ExtraMs: 60_000,
  /** The longest of the scenarios' own durations. */
  k6DefaultDurationSMax: 600,
  /** How long an interrupted child gets between the polite signal and the other one. */
  childStopMs: 15_000,
  edgeProbeMs: 3_000,
  stackReadyMs: 15 * 60_000,
  stackPollMs: 500,
  stackStopMs: 60_000,

  /** The search for the highest rate. */
  stressStepsMax: 9,
  stressStartRate: 1_500,
  stressGrowth: 1.3,
  /** The search ends when what holds and what does not lie this close together. */
  stressPrecision: 0.07,

  /** Core may grow by this share of its memory in the second half of a soak. */
  soakGrowthShareMax: 0.1,

  /** How long one request of our own clients may take. */
  requestMs: 15_000,

  /** The clients of the fault checks: how much they send, how patiently they repeat. */
  faultRatePerS: 200,
  faultPhaseS: 15,
  faultTickMs: 10,
  faultInFlightMax: 4_000,
  faultBackoffMsMin: 100,
  faultBackoffMsMax: 2_000,
  faultGiveUpMs: 120_000,
  /** How often a part that shall be away is looked for. */
  faultPollMs: 50,
  /** How long the platform may take to be itself again. */
  faultHealMs: 60_000,
  faultWallets: 2_000,
  /** With Kafka away, earns and burns keep at least this share of their rate, and at most this many times their p99. */
  kafkaAwayRateShareMin: 0.95,
  kafkaAwayLatencyFactorMax: 2,
  /** Latencies below this are noise on a shared machine. */
  kafkaAwayLatencyMsMin: 100,
} as const;

if (limits.drainIdleMs > limits.drainMs) throw new Error('limits: an idle wait must end before the whole wait');
