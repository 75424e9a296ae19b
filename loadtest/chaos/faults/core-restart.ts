import { type Fault, restartCore } from './fault.ts';

export const coreRestart: Fault = {
  name: 'core-restart',
  lane: 'core',
  weight: 2,
  does: 'SIGTERM of one process of core; it hands its shards over and ends, and is started again',
  leaves: 'nothing that it had accepted is lost',
  standsFor: 'an orderly restart',
  forMs: [0, 0],
  backMs: [200, 3_000],
  strike: (scene, { core, backMs }) => restartCore(scene, core, backMs),
};
