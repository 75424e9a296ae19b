/**
 * `npm run faults:kafka-away`: the broker is killed and kept away under load. Earns and burns go on as before; events
 * wait in the ledger, and reach Kafka in order when it is back (the reconciler's I5).
 */
import { limits } from '../limits.ts';
import { formatNumber } from '../table.ts';
import { keepAway, runExperiment } from './experiment.ts';

runExperiment({
  name: 'kafka-away',
  harm: (stack, seconds) => keepAway(stack, 'kafka', seconds),
  judge({ before, during }, stack) {
    const faults: string[] = [];
    if (during.perSecond < before.perSecond * limits.kafkaAwayRateShareMin) {
      faults.push(`${formatNumber(before.perSecond)} writes/s before, ${formatNumber(during.perSecond)} without Kafka`);
    }
    const p99Ms = during.percentile(0.99);
    const p99MsMax = Math.max(before.percentile(0.99) * limits.kafkaAwayLatencyFactorMax, limits.kafkaAwayLatencyMsMin);
    if (!(p99Ms <= p99MsMax)) faults.push(`p99 was ${formatNumber(p99Ms)} ms without Kafka`);
    const failed = [...during.statuses.keys()].filter((status) => !/^(201|409) /.test(status));
    if (failed.length > 0) faults.push(`without Kafka clients saw ${failed.join(', ')}`);
    if (stack.before.pids.core !== stack.after.pids.core) faults.push('core did not live through it');
    return faults;
  },
});
