/**
 * The reconciler: after a run, does the ledger hold exactly what the clients were told, does it balance, and is all
 * of it on Kafka? The door of this folder, and a command of its own:
 *
 *     node loadtest/reconcile/index.ts --stack .local/stack.json [--record FILE …]
 *
 * Exit code 0: no violation.
 */
import { parseArgs } from 'node:util';
import { printFailure, readStack, type Stack } from '../stack.ts';
import { formatNumber, formatTable } from '../table.ts';
import { AccountsCheck, type CheckResult, ClaimsCheck, EntriesCheck, TransitCheck } from './checks.ts';
import { openLedger } from './ledger.ts';
import { ClaimsBuilder, readRecord } from './record.ts';
import { eventChecks, readTopics } from './topics.ts';

export type { CheckResult } from './checks.ts';
export type { RecordLine } from './record.ts';

export interface Reconciliation {
  readonly results: readonly CheckResult[];
  readonly isClean: boolean;
  /** What could not be checked, in words. */
  readonly notes: readonly string[];
}

/**
 * Reads everything and judges it.
 *
 * @param records files that clients wrote; none: only the ledger and Kafka are compared
 */
export async function reconcile(
  stack: { readonly databases: readonly Pick<Stack['databases'][number], 'url'>[] } & Pick<Stack, 'kafka_brokers'>,
  records: readonly string[],
  log: (line: string) => void,
): Promise<Reconciliation> {
  const builder = new ClaimsBuilder();
  for (const record of records) await readRecord(record, builder);
  const claims = new ClaimsCheck(builder.build());
  const entries = new EntriesCheck();
  const transit = new TransitCheck();
  const accounts = new AccountsCheck();
  const events = eventChecks();
  const brokers = stack.kafka_brokers?.split(',') ?? null;

  const notes = brokers === null ? ['I5 was not checked: the stack has no Kafka.'] : [];
  const ledger = openLedger(stack.databases.map(({ url }) => url));
  try {
    const count = await ledger.snapshot(async (snapshot) => {
      const counts = await snapshot.counts();
      const count = counts.reduce((sum, each) => sum + each, 0);
      const split = counts.length === 1 ? '' : ` (by database: ${counts.map((each) => formatNumber(each)).join(', ')})`;
      log(`The ledger holds ${formatNumber(count)} transactions${split}.`);
      if (brokers !== null) await readTopics(brokers, count, events, log);
      await snapshot.eachEntry((row) => entries.add(row));
      if (snapshot.isOneMoment) await snapshot.eachTransit((row) => transit.add(row));
      else notes.push('Transfers between databases were not checked: they are written to all the while.');
      await snapshot.eachRow((row) => {
        accounts.add(row);
        claims.add(row);
        events.ledger.addRow(row);
        events.balance.addRow(row);
      });
      await snapshot.eachRefusal((accountId, key) => claims.addRefusal(accountId, key));
      return count;
    });
    const newRows = (await ledger.countNow()) - count;
    const results = [...entries.results(), transit.result(), ...accounts.results()];
    if (records.length > 0) results.push(...claims.results());
    if (brokers !== null) results.push(...events.ledger.results(newRows), ...events.balance.results(newRows));
    return { results, notes, isClean: results.every(({ violations }) => violations === 0) };
  } finally {
    await ledger.close();
  }
}

export function printReconciliation({ results, notes, isClean }: Reconciliation): void {
  const rows = results.map(({ name, looked, violations, first, note }) => [
    name,
    formatNumber(looked),
    formatNumber(violations),
    first ?? note ?? '',
  ]);
  console.log(formatTable({ title: 'Reconciliation', columns: ['check', 'looked at', 'violations', 'first'], rows }));
  for (const note of notes) console.log(note);
  console.log(isClean ? 'Nothing lost, nothing doubled, everything balances.' : 'The ledger does not reconcile.');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      stack: { type: 'string', default: '.local/stack.json' },
      record: { type: 'string', multiple: true, default: [] },
    },
  });
  const reconciliation = await reconcile(readStack(values.stack), values.record, console.log);
  printReconciliation(reconciliation);
  process.exitCode = reconciliation.isClean ? 0 : 1;
}

if (import.meta.main) {
  main().catch((error: unknown) => {
    printFailure(error);
    process.exitCode = 1;
  });
}
