import type { Fault } from './fault.ts';

/** A commit takes some 2 ms here: with this on the way there and back, ten times as long and more. */
const DELAY_MS = 12;

export const databaseSlow: Fault = {
  name: 'database-slow',
  lane: 'around',
  weight: 1,
  does: 'every message between core and Postgres is late, so that a statement takes ten times as long',
  leaves: 'writes are slow and right; what cannot be done in time is refused before it is tried',
  standsFor: 'a database ten times slower',
  forMs: [2_000, 6_000],
  async strike({ stage, pause }, { forMs }) {
    const links = stage.cores.map((_, index) => stage.links.get(`core-${index + 1}-postgres`));
    for (const link of links) link.set({ kind: 'delay', ms: DELAY_MS });
    try {
      await pause(forMs);
    } finally {
      for (const link of links) link.set({ kind: 'pass' });
    }
  },
};
