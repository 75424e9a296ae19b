/**
 * The bounds of core's platform and small modules, and the relations between them. What the wire bounds stands in
 * contracts; what the ledger bounds stands in actors.
 */
import { accountLimits } from '@local-plus/actors';
import { limits as wire } from '@local-plus/contracts';

export const limits = {
  /** Requests that are being read or handled; one more answers 429. Some kilobytes each. */
  requestsInFlightMax: 8_192,
  /** Those whose body may be large, of 1 MiB each: bulk. Each has at most `bulkLinesInFlightMax` commands in the ledger. */
  largeRequestsInFlightMax: 32,
  /**
   * Signatures remembered against replay. A full window at 20,000 requests a second is 1.3 million; more than this
   * answers 429. About 100 bytes each.
   */
  noncesMax: 2_000_000,
  /** Nonces are forgotten in groups of this much signing time. */
  nonceGroupMs: 1_000,
  /** How long a stop waits for requests under way. */
  drainMs: 8_000,
  /** How long a stop hands shards over before, where there is somebody to take them. */
  handOverMs: 4_000,
  /** Then the ledger finishes its batches, the relay publishes what is in memory, and connections close. */
  ledgerStopMs: 4_000,
  relayStopMs: 4_000,
  closeMs: 1_000,
  /** How long all of a stop may take, before the process ends regardless. */
  stopMs: 23_000,

  /** One statement of the pool; the server cancels it then. */
  statementMs: 5_000,
  /** The server did not even cancel: the connection is taken for dead, and the pool is replaced. */
  statementGraceMs: 1_000,
  connectMs: 2_000,
  /** Connections of the pool: reads and single-statement writes. */
  connectionsMax: 8,
  /** As `connectionsMax`, to each database of the ledger that this process does not commit to: reads of the past. */
  otherDatabaseConnectionsMax: 4,
  /** The readiness probe. */
  probeMs: 1_000,
  probeEveryMs: 500,

  redisConnectMs: 1_000,
  redisCommandMs: 100,
  redisReconnectMsMin: 50,
  redisReconnectMsMax: 2_000,
  redisHeartbeatMs: 1_000,
  /** Keys whose removal from Redis is owed while it is away; past it everything of this process is too old to matter. */
  evictionsOwedMax: 10_000,

  /** How long this process may believe what it holds: with other processes' word on changes, and without. */
  cacheL1Ms: 60_000,
  cacheL1AloneMs: 5_000,
  /** What was found not to exist. */
  cacheAbsentMs: 1_000,
  /** How long a removed key may not be filled again: longer than any load that began before the removal. */
  cacheTombstoneMs: 15_000,
  apiKeyL2Ms: 60_000,
  catalogL2Ms: 900_000,

  apiKeysHeldMax: 10_000,
  /** When keys were used last is written so long after the first use, of so many keys at once. */
  keyUsesWriteAfterMs: 30_000,
  keyUsesMax: 10_000,
  catalogPagesHeldMax: 1_000,
  programsHeldMax: 10_000,
  /** Programs looked up by one statement, and callers who wait for the next one; one more answers 429. */
  programBatchMax: 1_000,
  programWaitingMax: 8_192,
  /** Wallets whose program is in memory, and so many programs. */
  membershipsMax: 2 ** 21,
  membershipProgramsMax: 65_536,
  /** Wallets that are held because that is not all there is to know of them: they are not active. */
  walletsHeldMax: 20_000,
  /** Wallets looked up, or created, by one statement. */
  walletBatchMax: 1_000,
  /** Callers who wait for the next such statement; one more answers 429. */
  walletWaitingMax: 8_192,
} as const;

if (limits.noncesMax < 20_000 * ((2 * wire.signatureWindowMs) / 1_000)) {
  throw new Error('limits: the nonces of one window at full speed must fit');
}
if (limits.cacheTombstoneMs <= limits.statementMs + limits.statementGraceMs) {
  throw new Error('limits: a tombstone must outlive every load that began before it');
}
if (
  limits.handOverMs + limits.drainMs + limits.ledgerStopMs + limits.relayStopMs + 3 * limits.closeMs >
  limits.stopMs
) {
  throw new Error('limits: the parts of a stop must fit into the whole');
}
if (
  wire.holdSecondsMax !== accountLimits.holdSecondsMax ||
  wire.expiryMonthsMax !== accountLimits.expiryMonthsMax ||
  wire.expiryDaysMax !== accountLimits.expiryDaysMax
) {
  throw new Error('limits: what the wire lets through is what the account machine expects');
}
for (const kind of ['wallet', 'program'] as const) {
  if (limits[`${kind}BatchMax`] > limits[`${kind}WaitingMax`]) {
    throw new Error('limits: a batch is taken from those who wait');
  }
}
