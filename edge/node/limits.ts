/** The bounds of the Node adapter. Times are milliseconds, sizes bytes. */
import { limits as wire } from '@local-plus/contracts';

export const nodeLimits = {
  /** Request line and header fields; more answers 431. */
  headerBytesMax: 16_384,
  /** Until the header is there, and until the body is; later answers 408. */
  headersMs: 10_000,
  requestMs: 30_000,
  /** How often those two are looked at. */
  checkEveryMs: 1_000,
  /** Longer than the proxies in front keep theirs (60 s is usual), so that it is they who close. */
  keepAliveMs: 65_000,
  /** A connection on which nothing moves. */
  idleMs: 120_000,
  connectionsMax: 10_000,
  /** How long the rest of a body is read and dropped once the answer is out, so that the client gets to read that. */
  lingerMs: 1_000,
  /** How long requests under way may take when the process is told to stop. */
  stopMs: 25_000,
} as const;

/** The same, for a test to make some of them small. */
export type NodeBounds = Readonly<Record<keyof typeof nodeLimits, number>>;

if (nodeLimits.headerBytesMax <= wire.targetBytesMax) throw new Error('limits: a target must fit, to be refused by us');
if (nodeLimits.stopMs <= wire.bulkBudgetMs) throw new Error('limits: a bulk request must be able to end');
if (nodeLimits.idleMs <= nodeLimits.keepAliveMs) throw new Error('limits: keep-alive ends before idleness does');
