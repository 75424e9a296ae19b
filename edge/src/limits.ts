/**
 * Every bound that is the edge's own, with their relations asserted; what the wire shares stands in contracts.
 * Times are milliseconds, sizes bytes.
 */
import { limits as wire } from '@local-plus/contracts';

export const edgeLimits = {
  /** "A minute" is counted in ten-second buckets: the current one and the six before. */
  bucketMs: 10_000,
  bucketCount: 7,
  windowMs: 60_000,
  /** A burst is counted in two-second buckets: the current one and the five before. */
  burstBucketMs: 2_000,
  burstBucketCount: 6,
  burstWindowMs: 10_000,

  /** Addresses and keys with a window of their own in one isolate; past them, shared cells (memory-limiter.ts). */
  windowsMax: 16_384,
  cellsMax: 4_096,
  /** How long the shared counter may take before the isolate's own counts instead. */
  counterBudgetMs: 1_000,
  /** How long the isolate turns an address away on the shared counter's last word. */
  refusedMemoMs: 1_000,
  /** How long an idle counter object keeps its row. */
  counterIdleMs: 80_000,
  /** How long the isolate counts plans by itself before it asks a counter again that failed. */
  counterRetryMs: 1_000,

  /** Callers whose plans one process counts, and whose months it remembers when it counts them no more. */
  plansMax: 16_384,
  monthsMax: 65_536,
  /**
   * What an isolate keeps of a plan beyond what is asked for at once (leased-plans.ts): so many requests at most, and at
   * most one in so many of what the plan allows in a minute, in a burst, and in a month.
   */
  leaseSpareMax: 2_000,
  leaseMinuteShare: 20,
  leaseMonthShare: 1_000,
  /** … and one in so many of what was left. */
  leaseLeftShare: 4,
  /** A lease ends this long before its bucket does: clocks stand still while a Worker computes. */
  leaseMarginMs: 20,
  /** How often more is asked for ahead of need. */
  leaseAheadMs: 100,

  /** A key's grant: younger than this it is used as it is, … */
  keyFreshMs: 5_000,
  /** … up to this it is still used, while a look-up runs behind. */
  keyServedMs: 20_000,
  /** How long an unknown key stays refused without asking again. */
  keyRefusedMs: 5_000,
  keysMax: 10_000,
  keysRefusedMax: 10_000,
  /** Digests of keys that are remembered, and for how long. */
  keyDigestsMax: 10_000,
  keyDigestMs: 60_000,
  lookUpsMax: 1_000,
  /** Who waits for one look-up. */
  lookUpFollowersMax: 10_000,
  lookUpBudgetMs: 3_000,
  /** Of a token's member, and of its merchant, which are asked for last. */
  factBudgetMs: 1_000,

  /** A JWT, and how far ahead of our clock the times in it may begin. */
  tokenBytesMax: 8 * 1024,
  clockSkewMs: 60_000,
  /** Verified tokens that are remembered. */
  tokensMax: 10_000,
  /** An issuer's keys: younger than this they are used as they are, … */
  jwksFreshMs: 600_000,
  /** … up to this they are still used, while the issuer is asked behind. */
  jwksServedMs: 3_600_000,
  /** At most this often an issuer is asked because of a key that is not there, … */
  jwksUnknownMs: 30_000,
  /** … and because of its keys' age. */
  jwksRetryMs: 1_000,
  jwksBudgetMs: 1_500,
  /** When a question to it is given up, and how long anybody waits for one. */
  jwksAskingMs: 2_000,
  jwksBytesMax: 64 * 1024,
  jwksKeysMax: 32,
  /** The list of revocations: younger than this it is used as it is, … */
  revocationsFreshMs: 2_000,
  /** … up to this it is used while core is asked behind, then only once core was asked, … */
  revocationsWaitMs: 10_000,
  /** … and past this, core being away, not at all: no token is accepted. */
  revocationsServedMs: 60_000,
  revocationsRetryMs: 1_000,
  /** How long a request waits for a reading that it needs; the reading goes on. */
  revocationsBudgetMs: 2_000,
  /** When a reading of the list is given up. */
  revocationsReadMs: 9_000,
  revocationsMax: wire.revocationsMax,
  /** Pages of one reading: all that can be held, and one more. */
  revocationPagesMax: 21,

  cacheEntriesMax: 1_000,
  cacheBytesMax: 8 * 1024 * 1024,
  /** A larger answer is passed on, and not kept. */
  cacheBodyBytesMax: 512 * 1024,
  /** Past its time a public answer is served while one request fetches it anew, and while the origin is away. */
  cacheRevalidateMs: 30_000,
  cacheErrorMs: 600_000,
  /** How long an answer is good when core says no generation, and how long others may keep any. */
  cacheAloneMs: 10_000,
  cacheClientS: 10,
  cacheFlightsMax: 1_000,
  cacheFollowersMax: 1_000,
  /** Core is asked for its generations at most once in this time, for so long, … */
  generationEveryMs: 1_000,
  generationBudgetMs: 1_000,
  /** … and what was not confirmed for this long is not served without a question. */
  generationTrustMs: 2_000,

  /** The circuit before the origin (circuit.ts). */
  circuit: {
    windowMs: 10_000,
    failuresMin: 5,
    inRowMin: 8,
    backOffMsMin: 500,
    backOffMsMax: 5_000,
    probeMs: wire.requestBudgetMs,
  },
  /** With less of its budget left, a request is not sent to the origin: it was not executed. */
  forwardBudgetMsMin: 1_000,
  /** A read is not sent again with less time than this. */
  retryBudgetMsMin: 100,

  /** `/readyz` asks the origin at most once in this time. */
  readyMemoMs: 1_000,
  readyBudgetMs: 2_000,

  /** What a caller is asked to wait when the origin cannot be reached. */
  awayRetryAfterS: 1,
  /** How long a browser may go by one preflight, and how many origins may be listed. */
  corsMaxAgeS: 600,
  corsOriginsMax: 100,
  /** How long security.txt may be kept by others, and for how many days it speaks (RFC 9116 §2.5.5: less than a year). */
  securityTxtMaxAgeS: 86_400,
  securityTxtDays: 180,
  /** Lines of one isolate about requests; past them they are counted. */
  logLinesPerSecondMax: 200,
  metricSeriesMax: 4_096,
  /** One kind of trouble is logged at most once in this time, with its count. */
  reportEveryMs: 10_000,
} as const;

if (edgeLimits.forwardBudgetMsMin >= wire.requestBudgetMs) throw new Error('limits: there must be time to forward');
const { bucketMs, bucketCount, windowMs, counterIdleMs } = edgeLimits;
if (bucketMs * (bucketCount - 1) < windowMs) throw new Error('limits: the buckets must cover the window');
if (edgeLimits.burstBucketMs * (edgeLimits.burstBucketCount - 1) < edgeLimits.burstWindowMs) {
  throw new Error('limits: the buckets must cover the burst');
}
if (edgeLimits.burstWindowMs >= windowMs) throw new Error('limits: a burst is shorter than a minute');
if (counterIdleMs < bucketMs * bucketCount) throw new Error('limits: a counter must outlive what it counts');
if (edgeLimits.keyFreshMs >= edgeLimits.keyServedMs) throw new Error('limits: a key is fresh before it is stale');
if (edgeLimits.cacheBodyBytesMax > edgeLimits.cacheBytesMax) throw new Error('limits: one answer must fit the cache');
if (edgeLimits.cacheRevalidateMs > edgeLimits.cacheErrorMs) {
  throw new Error('limits: what is served while it is fetched is served in place of an error, too');
}
if (edgeLimits.generationEveryMs >= edgeLimits.generationTrustMs) {
  throw new Error('limits: what is used all the time is confirmed in time');
}
if (edgeLimits.jwksFreshMs >= edgeLimits.jwksServedMs) throw new Error('limits: keys are fresh before they are stale');
if (edgeLimits.jwksBudgetMs >= edgeLimits.jwksAskingMs) throw new Error('limits: an issuer may answer in its time');
const { counterBudgetMs, lookUpBudgetMs, factBudgetMs, jwksAskingMs, revocationsBudgetMs } = edgeLimits;
/** The longest that a caller's first request takes until it is sent on: its address, who it is, its two plans. */
const keyMs = counterBudgetMs + lookUpBudgetMs + 2 * counterBudgetMs;
const tokenMs = counterBudgetMs + jwksAskingMs + revocationsBudgetMs + 2 * factBudgetMs + 2 * counterBudgetMs;
if (Math.max(keyMs, tokenMs) + edgeLimits.forwardBudgetMsMin > wire.requestBudgetMs) {
  throw new Error('limits: a caller must be known while there is still time to forward the request');
}
if (edgeLimits.revocationPagesMax * wire.revocationRowsMax <= edgeLimits.revocationsMax) {
  throw new Error('limits: one reading must come to the end of the list');
}
const { revocationsFreshMs, revocationsWaitMs, revocationsServedMs } = edgeLimits;
if (revocationsFreshMs >= revocationsWaitMs || revocationsWaitMs >= revocationsServedMs) {
  throw new Error('limits: revocations are fresh, then read behind, then waited for');
}
