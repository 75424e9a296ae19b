/**
 * `npm run faults:postgres-away`: the database is killed (SIGKILL, in the middle of whatever it commits) and kept away
 * under load. Clients get 503 with Retry-After and no false answer; core lives on and recovers by itself.
 */
import { keepAway, runExperiment } from './experiment.ts';

runExperiment({
  name: 'postgres-away',
  harm: (stack, seconds) => keepAway(stack, 'postgres', seconds),
  judge({ during, after }, stack) {
    const faults: string[] = [];
    const outcomes = [...during.statuses.keys()];
    if (!outcomes.some((outcome) => outcome.startsWith('503 '))) faults.push('nobody was told 503');
    const other = outcomes.filter((outcome) => !/^(201|409|429|503|504) /.test(outcome));
    if (other.length > 0) faults.push(`without Postgres clients saw ${other.join(', ')}`);
    if (!(after.percentile(0.5) >= 0)) faults.push('nothing was answered after it was back');
    if (stack.before.pids.core !== stack.after.pids.core) faults.push('core did not live through it');
    return faults;
  },
});
