import type { LinkName } from '../stage/links.ts';
import type { Fault } from './fault.ts';

export const coreCutOff: Fault = {
  name: 'core-cut-off',
  lane: 'core',
  weight: 2,
  does: 'one process of core loses its way to Postgres, without a reset, for longer than it takes to be replaced; what it had sent arrives afterwards',
  leaves: 'one winner: the late batch of the one that was cut off writes nothing',
  standsFor: 'two processes claim a shard, one of them behind a broken network',
  forMs: [2_500, 7_500],
  async strike({ stage, pause }, { core, forMs }) {
    const link = stage.links.get(`core-${core}-postgres` satisfies LinkName);
    link.set({ kind: 'hold' });
    try {
      await pause(forMs);
    } finally {
      link.set({ kind: 'pass' });
    }
    await stage.core(core).isBack();
  },
};
