import type { Fault } from './fault.ts';

export const diskFull: Fault = {
  name: 'disk-full',
  lane: 'around',
  weight: 1,
  needs: 'disk',
  does: 'the disk of Postgres has no byte left: tables cannot grow, nor its log; Postgres may end itself. Then there is room again',
  leaves: 'writes are refused with 503 meanwhile, nothing is falsely answered, and all goes on when there is room',
  standsFor: 'a full disk',
  forMs: [2_000, 6_000],
  async strike({ stage, pause }, { forMs }) {
    const { disk } = stage;
    if ('missing' in disk) return;
    disk.fill();
    try {
      await pause(forMs);
    } finally {
      disk.free();
    }
    await stage.postgres.isBack();
  },
};
