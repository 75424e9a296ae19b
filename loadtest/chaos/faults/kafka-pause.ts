import type { Fault } from './fault.ts';

export const kafkaPause: Fault = {
  name: 'kafka-pause',
  lane: 'around',
  weight: 1,
  does: 'SIGSTOP of the broker; then SIGCONT',
  leaves: 'writes go on; what was sent twice is in order',
  standsFor: 'a broker that is connected and does not answer',
  forMs: [1_000, 8_000],
  async strike({ stage, pause }, { forMs }) {
    if (!stage.kafka.signal('SIGSTOP')) return;
    try {
      await pause(forMs);
    } finally {
      stage.kafka.signal('SIGCONT');
    }
    await stage.kafka.isBack();
  },
};
