/** Group commit without HTTP: the runtime and its store in a process of their own, with the clients inside. */
import { join } from 'node:path';
import { migrate } from '@local-plus/deploy';
import postgres from 'postgres';
import type { Outcome, OwnSide, Surroundings } from '../side.ts';
import { auditLedger, countBusy, countTransactions } from './audits.ts';
import { ask, type Child, startChild } from './child.ts';
import type { LedgerSettings, Order } from './ledger-messages.ts';

const START_MS = 20_000;
/** Beyond the seconds that were asked for. */
const EXTRA_MS = 60_000;

export interface LedgerProcess {
  readonly child: Child;
  readonly sql: postgres.Sql;
  readonly databaseUrl: string;
  ask<Answer>(order: Order, limitMs?: number): Promise<Answer>;
  stop(): Promise<void>;
}

export interface LedgerProcessOptions extends Omit<LedgerSettings, 'databaseUrl'> {
  readonly label: string;
  /** A database that is there already. */
  readonly databaseUrl?: string;
  readonly fill?: (databaseUrl: string) => Promise<void>;
}

export async function startLedgerProcess(
  surroundings: Surroundings,
  { label, fill, ...options }: LedgerProcessOptions,
): Promise<LedgerProcess> {
  const dir = join(surroundings.dir, label);
  const databaseUrl = options.databaseUrl ?? (await surroundings.createDatabase(label.replaceAll('-', '_')));
  await migrateDatabase(surroundings, databaseUrl, label);
  await fill?.(databaseUrl);
  const settings: LedgerSettings = { ...options, databaseUrl };
  const child = startChild({
    name: label,
    program: new URL('ledger-program.ts', import.meta.url),
    dir,
    env: { LEDGER_SETTINGS: JSON.stringify(settings) },
    nodeFlags: ['--expose-gc'],
  });
  await ask(child, { type: 'start' } satisfies Order, START_MS);
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  return {
    child,
    sql,
    databaseUrl,
    ask: (order, limitMs = EXTRA_MS) => ask(child, order, limitMs),
    async stop() {
      await sql.end({ timeout: 5 });
      await child.stop();
    },
  };
}

/** The schema by core's own migration; nothing else of its contract is used by it. */
export async function migrateDatabase({ dir }: Surroundings, databaseUrl: string, label: string): Promise<void> {
  await migrate({
    databaseUrl,
    port: 0,
    runDir: join(dir, label, 'run'),
    logDir: join(dir, label, 'logs'),
    kafkaBrokers: [],
    redisUrl: null,
    signingKeys: [],
    adminToken: '',
    environment: process.env,
  });
}

export async function startInProcess(surroundings: Surroundings, clients: number): Promise<OwnSide> {
  const program = await startLedgerProcess(surroundings, { label: 'in-process', keyPrefix: 'p' });
  return {
    kind: 'own',
    name: 'group commit without HTTP',
    pid: program.child.pid,
    brokerPid: null,
    countRows: () => countTransactions(program.sql),
    countBusy: () => countBusy(program.sql),
    audit: () => auditLedger(program.sql),
    async drive(workload, seconds) {
      const wallets = workload === 'hot' ? 1 : surroundings.walletCount;
      const order = { clients, wallets, seconds, requestsMax: Number.MAX_SAFE_INTEGER, expiryDays: null };
      return await program.ask<Outcome>({ type: 'drive', ...order }, seconds * 1_000 + EXTRA_MS);
    },
    stop: () => program.stop(),
  };
}
