/** Transfers as this process makes them: the process manager of actors/ on the ledger's accounts and tables. */
import { type Log, TransferSweep, Transfers } from '@local-plus/actors';
import type { Registry } from 'prom-client';
import { systemClock, systemTimer } from '../platform/time/index.ts';
import type { AccountRuntime } from './account-runtime.ts';
import type { LedgerDatabase, LedgerDatabases } from './databases.ts';
import { OpenTransfers } from './open-transfers.ts';
import { registerTransferMetrics } from './transfers-metrics.ts';

export interface LedgerTransfers extends Pick<Transfers, 'transfer'> {
  /** Begins to finish what other processes left open. */
  start(): void;
  /** Resolves when nothing of the sweep is under way; clients who wait are answered after the try that is. */
  stop(): Promise<void>;
}

export function ledgerTransfers(options: {
  readonly accounts: Pick<AccountRuntime, 'submit' | 'sameOwner'>;
  readonly databases: LedgerDatabases;
  /** The one of this process: what is open there is swept here, as by every process of that database. */
  readonly database: LedgerDatabase;
  readonly log: Log;
  readonly registry: Registry;
}): LedgerTransfers {
  const { accounts, databases, log } = options;
  const openIn = new Map(databases.all.map(({ id, pool }) => [id, new OpenTransfers(pool)]));
  const open = openIn.get(options.database.id) as OpenTransfers;
  // Where its departure is: the client may have asked any process.
  const close: OpenTransfers['close'] = async (departure) =>
    openIn.get(databases.of(departure.facts.accountId).id)?.close(departure);
  const transfers = new Transfers({
    submit: (request) => accounts.submit(request),
    sameOwner: (a, b) => accounts.sameOwner(a, b),
    close,
    clock: systemClock,
    timer: systemTimer,
    log,
  });
  const sweep = new TransferSweep({
    find: (ageMs, transfersMax) => open.find(ageMs, transfersMax),
    transfers,
    close,
    clock: systemClock,
    timer: systemTimer,
    log,
  });
  registerTransferMetrics(options.registry, transfers, sweep);
  return {
    transfer: (request) => transfers.transfer(request),
    start: () => sweep.start(),
    stop: () => {
      transfers.stop();
      return sweep.stop();
    },
  };
}
