/** What the processes of core say about themselves: figures that only their logs have. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stage } from './stage/stage.ts';

/** How processes that had been replaced learned of it. */
export interface Refused {
  /** By a batch that arrived late: its epoch was over, nothing was written. */
  readonly batches: number;
  /** By a beat. */
  readonly beats: number;
}

/** All that they have logged. */
export function coreLines({ dir, cores }: Stage): string[] {
  return cores.flatMap(({ name }) => {
    const path = join(dir, 'logs', `${name}.log`);
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
  });
}

/** How long groups of shards were served by nobody, in milliseconds. */
export function pausesOf(lines: readonly string[]): number[] {
  return lines.flatMap((line) => {
    const pause = /"pauseMs":(\d+)/.exec(line);
    return pause !== null && line.includes('shards were handed over') ? [Number(pause[1])] : [];
  });
}

export function refusedOf(lines: readonly string[]): Refused {
  const count = (what: string): number => lines.filter((line) => line.includes(what)).length;
  return {
    batches: count('superseded: another process owns this writer now'),
    beats: count('another process took over from this one'),
  };
}
