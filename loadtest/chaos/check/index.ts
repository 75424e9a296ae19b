/**
 * The checker of a chaos run: reads the history of the clients, the ledger's tables and Kafka, once everything has settled, and
 * says what does not agree. The reconciler's own checks (I1, I2, I5) are part of it.
 */
import { AccountsCheck, type CheckResult, EntriesCheck, type LedgerRow, TransitCheck } from '../../reconcile/checks.ts';
import { openLedger } from '../../reconcile/ledger.ts';
import { eventChecks, readTopics } from '../../reconcile/topics.ts';
import type { Call } from '../history.ts';
import { limits } from '../limits.ts';
import type { Move, StoredRefusal } from '../stage/observer.ts';
import { checkAccounting, findRows } from './accounting.ts';
import { claimsOf } from './claims.ts';
import { checkOrder } from './order.ts';
import { StaysCheck } from './stays.ts';

export interface Evidence {
  readonly calls: readonly Call[];
  /** In the order of account, version. */
  readonly rows: readonly LedgerRow[];
  readonly refusals: readonly StoredRefusal[];
  readonly firstOwners: readonly number[];
  readonly moves: readonly Move[];
}

export interface Verdict {
  readonly results: readonly CheckResult[];
  /** Calls whose outcome nobody was told in the end, and how many of them happened. */
  readonly unknown: number;
  readonly unknownHappened: number;
}

/** What clients were told against what the ledger holds, and who wrote it. Pure. */
export function judge({ calls, rows, refusals, firstOwners, moves }: Evidence): Verdict {
  const claims = claimsOf(calls);
  const accounting = checkAccounting(claims, rows, refusals);
  const { found } = findRows(claims, rows);
  const accounts = new AccountsCheck();
  const stays = new StaysCheck(firstOwners, moves);
  for (const row of rows) {
    accounts.add(row);
    stays.add(row);
  }
  const order = checkOrder({ calls, claims, found, rows, refusals });
  const results = [...accounts.results(), ...accounting.results, ...order, ...stays.results()];
  return { results, unknown: accounting.unknown, unknownHappened: accounting.unknownHappened };
}

export interface Sources extends Omit<Evidence, 'rows'> {
  readonly databaseUrl: string;
  readonly brokers: readonly string[];
  readonly log: (line: string) => void;
}

/** Reads the tables and Kafka, and judges everything together. */
export async function check({ databaseUrl, brokers, log, ...told }: Sources): Promise<Verdict> {
  const entries = new EntriesCheck();
  const transit = new TransitCheck();
  const events = eventChecks();
  const rows: LedgerRow[] = [];
  const ledger = openLedger([databaseUrl]);
  try {
    await ledger.snapshot(async (snapshot) => {
      const count = (await snapshot.counts()).reduce((sum, each) => sum + each, 0);
      if (count > limits.callsMax)
        throw new Error(`${count} rows are more than can be judged at once; run shorter ones`);
      await readTopics(brokers, count, events, log);
      await snapshot.eachEntry((row) => entries.add(row));
      await snapshot.eachTransit((row) => transit.add(row));
      await snapshot.eachRow((row) => {
        rows.push(row);
        events.ledger.addRow(row);
        events.balance.addRow(row);
      });
    });
  } finally {
    await ledger.close();
  }
  const verdict = judge({ ...told, rows });
  const ofEvents = [...events.ledger.results(0), ...events.balance.results(0)];
  return { ...verdict, results: [...entries.results(), transit.result(), ...verdict.results, ...ofEvents] };
}
