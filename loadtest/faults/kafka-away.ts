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
    // The median: a broker that starts again takes a core for seconds, and the slowest answers tell only of that.
    const medianMs = during.percentile(0.5);
    const medianMsMax = Math.max(
      before.percentile(0.5) * limits.kafkaAwayLatencyFactorMax,
      limits.kafkaAwayLatencyMsMin,
    );
    if (!(medianMs <= medianMsMax)) faults.push(`the median was ${formatNumber(medianMs)} ms without Kafka`);
    const failed = [...during.statuses.keys()].filter((status) => !/^(201|409) /.test(status));
    if (failed.length > 0) faults.push(`without Kafka clients saw ${failed.join(', ')}`);
    if (stack.before.pids.core !== stack.after.pids.core) faults.push('core did not live through it');
    return faults;
  },
});
