/**
 * The bounds of the local stack: every wait, retry, file and backoff, in one place. Times are milliseconds.
 *
 * A wait that ends here is not a performance goal: it is the point at which waiting longer would tell nobody anything.
 */

export const limits = {
  /** How often a server that is starting is asked whether it is ready. */
  readyPollMs: 25,
  postgresReadyMs: 120_000,
  postgresInitMs: 120_000,
  postgresStopMs: 30_000,
  kafkaReadyMs: 120_000,
  kafkaFormatMs: 60_000,
  kafkaStopMs: 30_000,
  valkeyReadyMs: 60_000,
  valkeyStopMs: 15_000,
  edgeReadyMs: 30_000,
  edgeStopMs: 5_000,
  coreReadyMs: 60_000,
  /** Longer than the core's own drain, so that a graceful stop is not cut short. */
  coreStopMs: 25_000,
  /** Processes of core on one machine. */
  coresMax: 8,
  /** Databases of the ledger on one machine, a Postgres each. */
  databasesMax: 4,
  migrateMs: 120_000,

  /** After SIGKILL the kernel needs a moment, not a grace. */
  killedMs: 10_000,
  /** What an orphan of a killed run gets between the polite signal and SIGKILL. */
  orphanStopMs: 15_000,

  /** How long leftover timers may keep the stack's own process after everything has ended. */
  leftoverMs: 2_000,

  /** Downloads and installations: a slow line is no error. */
  downloadMs: 600_000,
  /** How long one run waits for another one that is downloading the same thing. */
  downloadLockMs: 900_000,

  /** A server that dies is started again after 250 ms, doubling up to 10 s; a minute alive starts the count anew. */
  restartBackoffMinMs: 250,
  restartBackoffMaxMs: 10_000,
  restartForgiveMs: 60_000,

  /** One log file per process; a larger one is moved aside (one generation) at the next start. */
  logBytesMax: 64 * 1024 * 1024,
  /** How much of a log's end is read to explain a failed start. */
  logTailBytes: 2_048,

  demoRequestMs: 15_000,
  demoAttemptsMax: 10,
  demoConcurrency: 32,
  demoEventMs: 30_000,
  walletsDefault: 10_000,
  walletsMax: 1_000_000,
} as const;

if (limits.restartBackoffMinMs > limits.restartBackoffMaxMs) {
  throw new Error('limits: the first restart delay must not be longer than the last');
}
if (limits.downloadLockMs < limits.downloadMs) {
  throw new Error('limits: whoever waits for a download must outwait the download');
}
