import { type Fault, killCore } from './fault.ts';

export const coreKill: Fault = {
  name: 'core-kill',
  lane: 'core',
  weight: 10,
  does: 'SIGKILL of one process of core, which may still be starting; it comes back before or after the others have taken its shards, or after the next one has been killed',
  leaves: 'what it had answered is there once; what it had not, once or not at all; its shards are served by somebody',
  standsFor: 'a process dies in the middle of a batch',
  forMs: [200, 3_000],
  backMs: [200, 5_500],
  async strike(scene, { core, backMs, forMs, flag }) {
    const isBack = await killCore(scene, core, backMs);
    await (flag ? isBack() : scene.pause(forMs));
  },
};
