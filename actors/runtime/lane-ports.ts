/** What a lane needs, and what it shows of itself. */
import type { CommittedBatch, LedgerStore, Timer } from '../ports.ts';
import type { AssemblerPorts } from './assembler.ts';

export interface LanePorts extends Omit<AssemblerPorts, 'reload'> {
  readonly store: LedgerStore;
  readonly timer: Timer;
  readonly writerId: number;
  /** Called in batch order, right after each commit. Must be quick and must not throw. */
  readonly committed: (batch: CommittedBatch) => void;
  /** The epoch was raised by another process: this one must never write again. */
  readonly superseded: () => void;
}

/** `starting` until claimed; `frozen` while an outcome is unknown or the store is away. */
export type LaneState = 'starting' | 'running' | 'frozen' | 'superseded' | 'stopped';

/** Plain numbers, read when scraped. */
export class LaneCounters {
  batches = 0;
  commands = 0;
  refusals = 0;
  unknownOutcomes = 0;
  refusedStatements = 0;
  optimisticBatches = 0;
  optimisticRefused = 0;
  /** Called with every batch's size and time. */
  observe: ((commands: number, statementMs: number) => void) | null = null;
}
