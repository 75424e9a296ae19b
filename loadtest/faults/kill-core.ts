/**
 * `npm run faults:kill-core`: core is killed (SIGKILL) under load, three times, and started anew by the stack. Clients
 * repeat with the same key. Nothing is lost, nothing is doubled, and nobody sees more than a clear, retryable problem.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { killOnce, runExperiment } from './experiment.ts';

const KILLS = 3;

runExperiment({
  name: 'kill-core',
  async harm(stack, seconds) {
    for (let kill = 0; kill < KILLS; kill++) {
      await killOnce(stack, 'core');
      await delay((seconds * 1_000) / KILLS);
    }
  },
  judge: ({ after }) => (after.percentile(0.5) >= 0 ? [] : ['nothing was answered after the last kill']),
});
