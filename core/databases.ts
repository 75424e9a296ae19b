/**
 * The pools and probes of the databases that a process uses: the first one, which holds all that is not the ledger, and the
 * ledger's, of which the first is one. Most often that is all there is.
 */
import { type Config, migrationsFolder } from './config.ts';
import type { LedgerDatabase } from './ledger/index.ts';
import { limits } from './limits.ts';
import { createDatabase, createProbe, type Database, newestMigration, type Probe } from './platform/postgres/index.ts';
import type { Log } from './platform/telemetry/index.ts';

export interface Databases {
  readonly home: Database;
  readonly ledger: {
    readonly all: readonly LedgerDatabase[];
    /** Where this process commits: one of them. */
    readonly own: LedgerDatabase;
  };
  close(graceMs: number): Promise<void>;
}

/** Smaller pools for those that only the past is read from. */
export function openDatabases({ databaseUrl, ledgerDatabases, ledgerDatabaseId }: Config, log: Log): Databases {
  const home = createDatabase({ ...limits, url: databaseUrl, name: 'core', log });
  const pools = [home];
  const all = [...ledgerDatabases].map(([id, url]): LedgerDatabase => {
    if (url === databaseUrl) return { id, url, pool: home };
    const connectionsMax = id === ledgerDatabaseId ? limits.connectionsMax : limits.otherDatabaseConnectionsMax;
    const pool = createDatabase({ ...limits, connectionsMax, url, name: `core-ledger-${id}`, log });
    pools.push(pool);
    return { id, url, pool };
  });
  const own = all.find(({ id }) => id === ledgerDatabaseId);
  if (own === undefined) throw new Error('the configuration names the database of this process');
  return {
    home,
    ledger: { all, own },
    close: async (graceMs) => void (await Promise.all(pools.map((pool) => pool.close(graceMs)))),
  };
}

export interface Probes {
  readonly home: Probe;
  /** Of the database that this process commits to; often the same. */
  readonly ledger: Probe;
  /** Resolves after the first look at each. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function openProbes({ databaseUrl }: Config, { ledger }: Databases, log: Log): Probes {
  const migration = newestMigration(migrationsFolder);
  const probeOf = (url: string) => createProbe({ ...limits, url, log, everyMs: limits.probeEveryMs, migration });
  const home = probeOf(databaseUrl);
  const own = ledger.own.url === databaseUrl ? home : probeOf(ledger.own.url);
  const all = [...new Set([home, own])];
  return {
    home,
    ledger: own,
    start: async () => void (await Promise.all(all.map((probe) => probe.start()))),
    stop: async () => void (await Promise.all(all.map((probe) => probe.stop()))),
  };
}
