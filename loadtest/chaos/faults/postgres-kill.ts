import { type Fault, killPart } from './fault.ts';

export const postgresKill: Fault = {
  name: 'postgres-kill',
  lane: 'around',
  weight: 5,
  does: 'SIGKILL of Postgres; it is started again and recovers from its log',
  leaves: 'what was answered is there; core lives on, says 503 meanwhile, and finds out what became of its batches',
  standsFor: 'the database dies in the middle of a commit',
  forMs: [0, 0],
  backMs: [200, 2_500],
  async strike({ stage, mark }, { backMs }) {
    mark({ kind: 'postgres-killed', atMs: performance.now() });
    await killPart(stage.postgres, backMs);
    mark({ kind: 'postgres-back', atMs: performance.now() });
  },
};
