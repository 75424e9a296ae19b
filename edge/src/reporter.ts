/**
 * The report port for a platform with a line log: counts every trouble, logs each kind at most once in
 * `reportEveryMs`, with the count since. Names and messages of errors only: never a header, a body, or a key.
 */
import { edgeLimits } from './limits.ts';
import type { Ports, Trouble } from './ports.ts';

interface Tally {
  count: number;
  loggedAtMs: number;
}

export function createReporter(log: (line: string) => void, nowMs: () => number): Ports['report'] {
  const tallies = new Map<Trouble, Tally>();
  return (trouble, cause) => {
    const tally = tallies.get(trouble) ?? { count: 0, loggedAtMs: Number.NEGATIVE_INFINITY };
    tallies.set(trouble, tally);
    tally.count++;
    if (nowMs() - tally.loggedAtMs < edgeLimits.reportEveryMs) return;
    log(JSON.stringify({ level: 'error', part: 'edge', trouble, count: tally.count, cause: describe(cause) }));
    tally.count = 0;
    tally.loggedAtMs = nowMs();
  };
}

function describe(cause: unknown): string {
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : typeof cause;
}
