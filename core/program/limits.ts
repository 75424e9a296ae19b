/** The bounds of the program module; what the wire bounds stands in contracts. Times are milliseconds. */
import { limits as wire } from '@local-plus/contracts';
import { limits as core } from '../limits.ts';

export const programLimits = {
  /** What is known of a program's versions is read again, beside whoever needs it, when it is older. */
  freshMs: 5_000,
  /** … and is gone by no more when it is older: whoever needs it waits for the read. */
  staleMs: 30_000,
  /** How far the clocks of two processes, or of a process and the database, may be apart: so far one may step back. */
  clocksApartMs: 10_000,
  /** Versions of a program that are still to come into force, as far as they are looked at. */
  upcomingMax: 100,
  /** Attempts at the next number of a version while others take it. */
  numberTriesMax: 20,
} as const;

const statementMs = core.statementMs + core.statementGraceMs;
if (wire.programVersionLeadMs <= programLimits.staleMs + 2 * statementMs + programLimits.clocksApartMs) {
  throw new Error('limits: whoever does not know of a version goes by nothing that old when it comes into force');
}
if (programLimits.freshMs + statementMs > programLimits.staleMs) {
  throw new Error('limits: a read in the background ends before anybody has to wait for it');
}
