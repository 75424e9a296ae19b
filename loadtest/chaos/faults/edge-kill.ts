import { type Fault, killPart } from './fault.ts';

export const edgeKill: Fault = {
  name: 'edge-kill',
  lane: 'around',
  weight: 1,
  does: 'SIGKILL of workerd; it is started again',
  leaves: 'what was forwarded may have happened; the same key tells',
  standsFor: 'an edge location dies',
  forMs: [0, 0],
  backMs: [200, 1_500],
  async strike({ stage, mark }, { backMs }) {
    mark({ kind: 'edge-killed', atMs: performance.now() });
    await killPart(stage.edge, backMs);
  },
};
