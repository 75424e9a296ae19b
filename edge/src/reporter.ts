/**
 * The report port for a platform with a line log: counts every trouble, logs each kind at most once in
 * `reportEveryMs`, with the count since. Names and messages of errors only: never a header, a body, or a key. Of a call
 * that failed only its error's name and code: a platform's message may hold the whole address, and with it a person's id.
 */
import { edgeLimits } from './limits.ts';
import type { Ports, Trouble } from './ports.ts';

interface Tally {
  count: number;
  loggedAtMs: number;
}

export function createReporter(log: (line: string) => void, steadyMs: () => number): Ports['report'] {
  const tallies = new Map<Trouble, Tally>();
  return (trouble, cause) => {
    const tally = tallies.get(trouble) ?? { count: 0, loggedAtMs: Number.NEGATIVE_INFINITY };
    tallies.set(trouble, tally);
    tally.count++;
    if (steadyMs() - tally.loggedAtMs < edgeLimits.reportEveryMs) return;
    log(JSON.stringify({ level: 'error', part: 'edge', trouble, count: tally.count, cause: describe(trouble, cause) }));
    tally.count = 0;
    tally.loggedAtMs = steadyMs();
  };
}

const ofCalls: ReadonlySet<Trouble> = new Set(['origin_away', 'origin_late', 'issuer_away']);

function describe(trouble: Trouble, cause: unknown): string {
  if (!(cause instanceof Error)) return typeof cause;
  if (!ofCalls.has(trouble)) return `${cause.name}: ${cause.message}`;
  const code = codeOf(cause.cause);
  return code === null ? cause.name : `${cause.name}: ${code}`;
}

/** What Node and Deno call the operating system's refusal: `ECONNREFUSED` and the like. */
function codeOf(cause: unknown): string | null {
  if (typeof cause !== 'object' || cause === null || !('code' in cause)) return null;
  return typeof cause.code === 'string' ? cause.code : null;
}
