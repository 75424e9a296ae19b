import type { Fault } from './fault.ts';

export const corePause: Fault = {
  name: 'core-pause',
  lane: 'core',
  weight: 1,
  does: 'SIGSTOP of one process of core for less than it takes to be missed; then SIGCONT',
  leaves: 'it goes on as if nothing had been; its shards are still its own, or it ends',
  standsFor: 'a long garbage collection, a migrated virtual machine',
  forMs: [300, 2_800],
  async strike({ stage, pause }, { core, forMs }) {
    const part = stage.core(core);
    if (!part.signal('SIGSTOP')) return;
    try {
      await pause(forMs);
    } finally {
      part.signal('SIGCONT');
    }
    await part.isBack();
  },
};
