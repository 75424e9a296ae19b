/** Logs for tests: one that says nothing, one that is read. */
import { createLog, type Log } from '../platform/telemetry/index.ts';

export const quiet: Log = createLog('silent');

/** Everything that is logged, line by line. */
export function recorded(lines: string[] = []): { readonly log: Log; readonly lines: string[] } {
  return { log: createLog('trace', { write: (line: string) => void lines.push(line) }), lines };
}

const RANDOM = [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, /"time":"[^"]*"/g, /"pid":[0-9]+/g];

/** What was logged without what stands there by chance: a short secret could be found in ids, times, and the process's number. */
export function withoutChance(lines: readonly string[]): string {
  return RANDOM.reduce((text, random) => text.replaceAll(random, ''), lines.join(''));
}
