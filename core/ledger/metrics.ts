/** The ledger's metrics. Counters live in the lane as plain numbers; they are copied when Prometheus asks. */
import type { Runtime } from '@local-plus/actors';
import { Gauge, Histogram, type Registry } from 'prom-client';
import type { DueSweep } from './sweep.ts';

/** Names of {@link LaneState}, as label values. */
const laneStates = ['starting', 'running', 'frozen', 'superseded', 'stopped'] as const;

export function registerLedgerMetrics(registry: Registry, runtime: Runtime, sweep: DueSweep): void {
  const registers = [registry];
  const batchSize = new Histogram({
    name: 'ledger_batch_commands',
    help: 'Commands per committed batch.',
    buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000],
    registers,
  });
  const commitTime = new Histogram({
    name: 'ledger_commit_seconds',
    help: 'From sending a batch to its reply.',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
    registers,
  });
  runtime.status.counters.observe = (commands, statementMs) => {
    batchSize.observe(commands);
    commitTime.observe(statementMs / 1_000);
  };
  const gauges: readonly (readonly [string, string, () => number])[] = [
    ['ledger_queue_depth', 'Commands that wait for an answer.', () => runtime.status.pending],
    [
      'ledger_expected_wait_seconds',
      'How long a command behind all that wait now would wait for its turn, as estimated.',
      () => runtime.status.backlogMs / 1_000,
    ],
    ['ledger_tenants_waiting', 'Tenants that have commands waiting.', () => runtime.status.tenantsWaiting],
    ['ledger_actors', 'Actors in memory.', () => runtime.status.actors],
    ['ledger_actors_evicted_total', 'Idle actors that made room.', () => runtime.status.actorsEvicted],
    [
      'ledger_actors_unshelved_total',
      'Actors that got their state back from memory, without a load.',
      () => runtime.status.actorsUnshelved,
    ],
    ['ledger_accounts_shelved', 'Accounts without an actor whose state is in memory.', () => runtime.status.shelved],
    ['ledger_batches_total', 'Committed batches.', () => runtime.status.counters.batches],
    ['ledger_commands_total', 'Committed commands, refusals included.', () => runtime.status.counters.commands],
    ['ledger_refusals_total', 'Commands that the account refused.', () => runtime.status.counters.refusals],
    ['ledger_replays_total', 'Commands answered from the ledger by their key.', () => runtime.status.replays],
    [
      'ledger_look_up_statements_total',
      'Statements that look up keys and accounts.',
      () => runtime.status.lookUpStatements,
    ],
    ['ledger_unknown_outcomes_total', 'Statements without a reply.', () => runtime.status.counters.unknownOutcomes],
    ['ledger_refused_statements_total', 'Statements refused whole.', () => runtime.status.counters.refusedStatements],
    [
      'ledger_optimistic_batches_total',
      'Committed batches with keys that were not looked up.',
      () => runtime.status.counters.optimisticBatches,
    ],
    [
      'ledger_optimistic_refused_total',
      'Batches that were refused with keys that were not looked up: most likely one was used.',
      () => runtime.status.counters.optimisticRefused,
    ],
    ['ledger_writer_epoch', 'The epoch under which this process writes.', () => runtime.status.epoch],
    ['ledger_writer_batch', 'The last committed batch.', () => runtime.status.batch],
    ['ledger_due_postings_total', 'Releases and expiries that time made due.', () => sweep.counters.postings],
    ['ledger_due_late_seconds', 'How late the longest due account was.', () => sweep.counters.lateMs / 1_000],
    ['ledger_due_aside', 'Due accounts in trouble, set aside for a while.', () => sweep.aside],
    ['ledger_due_troubles_total', 'Rounds of the sweep that the store ended.', () => sweep.counters.troubles],
  ];
  for (const [name, help, value] of gauges) {
    const gauge: Gauge = new Gauge({ name, help, registers, collect: () => gauge.set(value()) });
  }
  const turnedAway: Gauge = new Gauge({
    name: 'ledger_turned_away_total',
    help: 'Commands that were not let in, by reason.',
    labelNames: ['reason'],
    registers,
    collect() {
      for (const [reason, count] of Object.entries(runtime.status.refusals)) turnedAway.set({ reason }, count);
    },
  });
  const state = new Gauge({
    name: 'ledger_lane_state',
    help: '1 for the state that the commit lane is in.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const name of laneStates) state.set({ state: name }, runtime.status.lane === name ? 1 : 0);
    },
  });
}
