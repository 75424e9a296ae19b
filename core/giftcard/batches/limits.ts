/** The bounds of bulk issue. Times are milliseconds. */
import type { SweepLimits } from '@local-plus/actors';
import { limits as wire } from '@local-plus/contracts';
import { codeLimits } from '../codes/index.ts';

export interface BatchLimits {
  /** Cards that are drawn, stored and issued together; fewer where each has a PIN to be hashed. */
  readonly chunkCards: number;
  readonly chunkCardsWithPin: number;
  /** Lines that are encrypted between two turns of the event loop: about a millisecond. */
  readonly linesPerTurn: number;
  /** After each chunk, for as long as the chunk took times this, nothing is begun: requests go first. */
  readonly restShare: number;
  readonly restMsMax: number;
  /** How long one job is worked on before the next one's turn. */
  readonly turnMs: number;
  /** Without a sign for so long, others take a job over: a chunk takes less. */
  readonly leaseMs: number;
  /** Chunks of a file in memory at a time, per download. */
  readonly chunksReadAtOnce: number;
  /** Files past their time that are deleted by one statement. */
  readonly filesPerSweepMax: number;
  readonly work: SweepLimits;
  readonly files: SweepLimits;
}

const sweep = { concurrencyMax: 1, asideMax: 100, pauseMsMax: 30_000, asideMsMax: 60_000 } as const;

export const batchLimits: BatchLimits = {
  chunkCards: 100,
  chunkCardsWithPin: 20,
  linesPerTurn: 4,
  restShare: 0.25,
  restMsMax: 200,
  turnMs: 2_000,
  leaseMs: 20_000,
  chunksReadAtOnce: 4,
  filesPerSweepMax: 10,
  work: { ...sweep, sweepMs: 1_000, itemsMax: 1 },
  files: { ...sweep, sweepMs: 60_000, itemsMax: 10 },
};

if (Math.max(batchLimits.chunkCards, batchLimits.chunkCardsWithPin) > codeLimits.codesPerCallMax) {
  throw new Error('limits: the codes of a chunk are drawn at once');
}
if (batchLimits.chunkCards > wire.batchCardsMax) throw new Error('limits: a chunk is part of a job');
