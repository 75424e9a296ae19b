/** What tests of the runtime have in common: one that has begun, and what has become of a request by now. */
import type { Outcome, Runtime, RuntimeLimits } from '../index.ts';
import type { Stage } from './stage.ts';

export async function started(stage: Stage, limits: Partial<RuntimeLimits> = {}): Promise<Runtime> {
  const runtime = stage.runtime(limits);
  await runtime.start();
  return runtime;
}

/** The outcome if it is there already, else null. */
export interface Watched {
  outcome: Outcome | null;
}

export function watch(promise: Promise<Outcome>): Watched {
  const watched: Watched = { outcome: null };
  promise.then((outcome) => {
    watched.outcome = outcome;
  });
  return watched;
}

export const typeOf = ({ outcome }: Watched): Outcome['type'] | 'waits' => outcome?.type ?? 'waits';
export const types = (outcomes: readonly Outcome[]): Outcome['type'][] => outcomes.map(({ type }) => type);
