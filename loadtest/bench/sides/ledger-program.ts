/**
 * The ledger without HTTP, in a process of its own: clients in the same process post earns into the runtime (④ hash of the
 * request, ⑤–⑧, the answer's text), closed loop. Told what to do by messages (ledger-messages.ts).
 *
 * Variable: `LEDGER_SETTINGS`, JSON of {@link LedgerSettings}. With `--expose-gc` it can say what its memory holds.
 */
import { hash } from 'node:crypto';
import { type Command, type Outcome, Runtime, runtimeLimits } from '@local-plus/actors';
import type { AccountId, IdempotencyKey, ProgramId, RequestId } from '@local-plus/contracts';
import { PostgresLedgerStore, storeDefaults } from '../../../core/ledger/store.ts';
import { requestHash } from '../../../core/ledger/submission.ts';
import { transactionJson } from '../../../core/ledger/wire.ts';
import { createLog } from '../../../core/platform/telemetry/index.ts';
import { systemClock, systemTimer } from '../../../core/platform/time/index.ts';
import { accountIdOf, type DriveOrder, type LedgerSettings, type LotsOrder, type Order } from './ledger-messages.ts';

const DAY_MS = 86_400_000;
const DEADLINE_MS = 10_000;
const programId = '00000000-0000-7000-8000-0000000000ff' as ProgramId;
const requestId = '00000000-0000-7000-8000-0000000000fe' as RequestId;

const settings = JSON.parse(process.env['LEDGER_SETTINGS'] ?? '{}') as LedgerSettings;
/** How far the ledger's clock is ahead: lots of many days are made in a moment. */
let aheadMs = settings.aheadMs ?? 0;

const runtime = new Runtime({
  store: new PostgresLedgerStore({ databaseUrl: settings.databaseUrl, ...storeDefaults }),
  clock: { nowMs: () => Date.now() + aheadMs, monotonicMs: systemClock.monotonicMs },
  timer: systemTimer,
  log: createLog('warn'),
  digest: (text) => hash('sha256', text, 'hex'),
  writerId: 1,
  limits: { ...runtimeLimits, ...settings.limits },
});
let keys = 0;

function post(accountNumber: number, expiryDays: number | null, answer: (outcome: Outcome) => void): void {
  const amount = 100 + (keys % 900);
  const expiry = expiryDays === null ? null : ({ period: 'days', count: expiryDays, endOfMonth: false } as const);
  const command: Command = { kind: 'earn', amount, programId, expiry };
  runtime.post(
    {
      facts: {
        accountId: accountIdOf(accountNumber) as AccountId,
        programId,
        idempotencyKey: `${settings.keyPrefix}.${String(keys++).padStart(9, '0')}` as IdempotencyKey,
        requestHash: requestHash(['earn', amount], {}),
        requestId,
        traceparent: null,
        reference: null,
        metadata: null,
      },
      command,
      deadlineMs: performance.now() + DEADLINE_MS,
    },
    answer,
  );
}

/** Every client waits for its answer before it asks again; at the end all are waited for. */
function drive({ wallets, clients, seconds, requestsMax, expiryDays }: DriveOrder) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const latenciesMs: number[] = [];
  const startedMs = performance.now();
  const endMs = startedMs + seconds * 1_000;
  let elapsedMs = 0;
  let handed = 0;
  let notOk = 0;
  let busy = clients;
  const next = (): void => {
    if (performance.now() >= endMs || handed >= requestsMax) {
      if (elapsedMs === 0) elapsedMs = performance.now() - startedMs;
      if (--busy === 0) resolve();
      return;
    }
    const sentMs = performance.now();
    post(handed++ % wallets, expiryDays, (outcome) => {
      if (outcome.type === 'posted') transactionJson(outcome.row, outcome.transactionId, 'PTS');
      else notOk++;
      latenciesMs.push(performance.now() - sentMs);
      // A refusal may come before `post` returns: clients take turns whatever happens.
      if (outcome.type === 'posted') next();
      else setImmediate(next);
    });
  };
  for (let client = 0; client < clients; client++) next();
  return promise.then(() => {
    const sorted = Float64Array.from(latenciesMs).sort();
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return {
      answers: sorted.length,
      notOk,
      broken: 0,
      handed,
      elapsedMs,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      maxMs: sorted.at(-1) ?? 0,
      cpuS: 0,
    };
  });
}

/** One earn a day for every wallet, so that each has a lot a day. */
async function makeLots({ wallets, lots, expiryDays }: LotsOrder): Promise<object> {
  for (let day = 0; day < lots; day++) {
    const posts = Array.from({ length: wallets }, (_, wallet) => {
      return new Promise<Outcome>((resolve) => post(wallet, expiryDays, resolve));
    });
    const refused = (await Promise.all(posts)).find(({ type }) => type !== 'posted');
    if (refused !== undefined) throw new Error(`an earn was answered ${refused.type}`);
    if (day < lots - 1) aheadMs += DAY_MS;
  }
  return { aheadMs };
}

function memory(): object {
  if (globalThis.gc === undefined) throw new Error('--expose-gc is needed');
  for (let times = 0; times < 3; times++) globalThis.gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapBytes: heapUsed, externalBytes: external, rssBytes: rss, actors: runtime.status.actors };
}

async function obey(order: Order): Promise<object> {
  switch (order.type) {
    case 'start':
      await runtime.start();
      return {};
    case 'drive':
      return await drive(order);
    case 'lots':
      return await makeLots(order);
    case 'memory':
      return memory();
  }
}

process.on('message', (order: Order) => {
  obey(order).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ failed: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('SIGTERM', () => {
  runtime.stop(2_000).then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
