/** The bounds of the rules module; what the wire bounds stands in contracts. */
import { accountLimits } from '@local-plus/actors';
import { limits as wire } from '@local-plus/contracts';

export const rulesLimits = {
  /** How long this process may not know that another one published rules. */
  freshMs: 5_000,
  /** How far this process's clock may step back without a read: a clock that is set right. */
  clockStepMs: 10_000,
  /** Programs whose versions in force, and to come, are remembered. */
  programsHeldMax: 10_000,
  /** Rules of all compiled versions in memory, about 1 KiB each; the least recently used version goes first. */
  compiledRulesMax: 100_000,
  /** Rules of a version that have caps beyond a single purchase. The table says so, too. */
  cappedRulesMax: 400,
  /** Published versions of a program that are still to come into force, as far as they are looked at. */
  upcomingMax: 100,
  /** Attempts at the next number of a version while others take it. */
  numberTriesMax: 20,
} as const;

if (rulesLimits.compiledRulesMax < 2 * wire.rulesMax) {
  throw new Error('limits: the largest version and its successor fit into memory');
}
if (2 * rulesLimits.cappedRulesMax + 1 > accountLimits.grantsMax || 2 * wire.ruleCapsMax > accountLimits.grantCapsMax) {
  throw new Error('limits: what a purchase can be given is what the account machine expects');
}
