import { type Fault, restartCore } from './fault.ts';

export const rollingRestart: Fault = {
  name: 'rolling-restart',
  lane: 'core',
  weight: 1,
  does: 'SIGTERM of each process of core in turn, the next one when the last is back',
  leaves: 'nothing that was accepted is lost; a call needs one retry at most',
  standsFor: 'a deployment',
  forMs: [300, 1_500],
  backMs: [200, 500],
  async strike(scene, { forMs, backMs }) {
    for (let core = 1; core <= scene.stage.cores.length; core++) {
      await restartCore(scene, core, backMs);
      await scene.pause(forMs);
    }
  },
};
