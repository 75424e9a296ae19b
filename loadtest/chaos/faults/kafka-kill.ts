import { type Fault, killPart } from './fault.ts';

export const kafkaKill: Fault = {
  name: 'kafka-kill',
  lane: 'around',
  weight: 1,
  does: 'SIGKILL of the broker; it is started again',
  leaves: 'writes go on; events wait in the ledger and arrive in order, some of them twice',
  standsFor: 'the broker is away',
  forMs: [0, 0],
  backMs: [200, 6_000],
  async strike({ stage, mark }, { backMs }) {
    mark({ kind: 'kafka-killed', atMs: performance.now() });
    await killPart(stage.kafka, backMs);
  },
};
