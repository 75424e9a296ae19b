import { type Fault, killCore } from './fault.ts';

export const coreKillAll: Fault = {
  name: 'core-kill-all',
  lane: 'core',
  weight: 1,
  does: 'SIGKILL of every process of core at once; each comes back after a time of its own',
  leaves: 'as after the death of one; the first who is back has everything',
  standsFor: 'a rack loses power',
  forMs: [0, 0],
  backMs: [200, 3_000],
  async strike(scene, { backMs }) {
    const killed = scene.stage.cores.map((_, index) => killCore(scene, index + 1, backMs * (1 + index / 2)));
    for (const isBack of await Promise.all(killed)) await isBack();
  },
};
