import type { Fault } from './fault.ts';

const DAY_S = 86_400;

export const clockDay: Fault = {
  name: 'clock-day',
  lane: 'core',
  weight: 1,
  needs: 'clocks',
  does: 'the wall clock of one process of core is a day ahead, or behind; then it is right again',
  leaves: 'nobody is taken for dead, nothing is applied twice; it refuses what others have signed, and says so',
  standsFor: 'a clock that jumps',
  forMs: [1_500, 4_000],
  async strike({ stage, pause }, { core, forMs, flag }) {
    const { clocks } = stage;
    if ('missing' in clocks) return;
    clocks.shift(core, flag ? DAY_S : -DAY_S);
    try {
      await pause(forMs);
    } finally {
      clocks.shift(core, 0);
    }
    await stage.core(core).isBack();
  },
};
