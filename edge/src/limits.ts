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

  /** Addresses and keys with a window of their own in one isolate; past them, shared cells (memory-limiter.ts). */
  windowsMax: 16_384,
  cellsMax: 4_096,
  /** How long the shared counter may take before the isolate's own counts instead. */
  counterBudgetMs: 1_000,
  /** How long the isolate turns an address away on the shared counter's last word. */
  refusedMemoMs: 1_000,
  /** How long an idle counter object keeps its row. */
  counterIdleMs: 80_000,

  /** A key's grant: younger than this it is used as it is, … */
  keyFreshMs: 5_000,
  /** … up to this it is still used, while a look-up runs behind. */
  keyServedMs: 20_000,
  /** How long an unknown key stays refused without asking again. */
  keyRefusedMs: 5_000,
  keysMax: 10_000,
  keysRefusedMax: 10_000,
  lookUpsMax: 1_000,
  lookUpBudgetMs: 3_000,

  cacheEntriesMax: 1_000,
  cacheBytesMax: 8 * 1024 * 1024,
  /** A larger answer is passed on, and not kept. */
  cacheBodyBytesMax: 512 * 1024,
  /** How long past its time a public answer is served while the origin is away. */
  cacheStaleMs: 60_000,

  /** `/readyz` asks the origin at most once in this time. */
  readyMemoMs: 1_000,
  readyBudgetMs: 2_000,

  /** What a caller is asked to wait when the origin cannot be reached. */
  awayRetryAfterS: 1,
  /** One kind of trouble is logged at most once in this time, with its count. */
  reportEveryMs: 10_000,
} as const;

const { bucketMs, bucketCount, windowMs, counterIdleMs } = edgeLimits;
if (bucketMs * (bucketCount - 1) < windowMs) throw new Error('limits: the buckets must cover the window');
if (counterIdleMs < bucketMs * bucketCount) throw new Error('limits: a counter must outlive what it counts');
if (edgeLimits.keyFreshMs >= edgeLimits.keyServedMs) throw new Error('limits: a key is fresh before it is stale');
if (edgeLimits.lookUpBudgetMs + edgeLimits.counterBudgetMs >= wire.requestBudgetMs) {
  throw new Error('limits: a key must be known while there is still time to use it');
}
if (edgeLimits.cacheBodyBytesMax > edgeLimits.cacheBytesMax) throw new Error('limits: one answer must fit the cache');
