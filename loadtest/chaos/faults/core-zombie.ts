import { type Fault, isReplaced, shardsOf } from './fault.ts';

export const coreZombie: Fault = {
  name: 'core-zombie',
  lane: 'core',
  weight: 2,
  does: 'SIGSTOP of one process of core until others have its shards, and a while longer; then SIGCONT',
  leaves: 'nothing is written by it any more, nothing old is shown, and it ends; its supervisor starts it anew',
  standsFor: 'a writer comes back from a long pause after it was replaced',
  forMs: [300, 2_500],
  async strike(scene, { core, forMs }) {
    const part = scene.stage.core(core);
    await part.isBack();
    const { starts } = part;
    const shards = await shardsOf(scene, core);
    const atMs = performance.now();
    if (!part.signal('SIGSTOP')) return;
    let wasReplaced = false;
    try {
      wasReplaced = await isReplaced(scene, core, shards);
      await scene.pause(forMs);
    } finally {
      part.signal('SIGCONT');
    }
    scene.mark({ kind: 'core-stopped', atMs, core, wasReplaced });
    // Nobody was there to take over: then it lives on.
    await part.isBack(wasReplaced ? starts : 0);
    scene.mark({ kind: 'core-back', atMs: performance.now(), core });
  },
};
