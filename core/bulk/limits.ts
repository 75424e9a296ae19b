/** The bounds of one bulk request at work; what the wire bounds stands in contracts. Times are milliseconds. */
import { limits as wire } from '@local-plus/contracts';

export interface BulkLimits {
  /** Lines that are begun and whose outcome is not on its way to the client yet. */
  readonly linesInFlightMax: number;
  /** A piece of the answer ends with the line that makes it longer than this. */
  readonly pieceCharsMax: number;
  /** Lines that are parsed between two turns of the event loop: about a millisecond. */
  readonly linesPerTurn: number;
  /** How long a line may take from its beginning; as long as a single request. */
  readonly lineBudgetMs: number;
  /** How often, and with what pauses, a line is offered again that finds the ledger full. The pause doubles. */
  readonly offersMax: number;
  readonly pauseMs: number;
  readonly pauseMsMax: number;
}

export const bulkLimits: BulkLimits = {
  linesInFlightMax: 256,
  pieceCharsMax: 65_536,
  linesPerTurn: 64,
  lineBudgetMs: wire.requestBudgetMs,
  offersMax: 8,
  pauseMs: 25,
  pauseMsMax: 400,
};

if (bulkLimits.linesInFlightMax < wire.bulkGroupLinesMax) throw new Error('limits: a group is begun as a whole');
