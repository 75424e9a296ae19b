/** Curves of the ledger without HTTP: the size of a batch, the lots of a wallet, the actors in memory. */
import { runtimeLimits } from '@local-plus/actors';
import { formatNumber } from '../../table.ts';
import type { Contestant } from '../interleave.ts';
import { uniformSingles } from '../round.ts';
import type { Outcome, OwnSide } from '../side.ts';
import { auditLedger, countBatches, countBusy, countTransactions } from '../sides/audits.ts';
import { type LedgerProcess, startLedgerProcess } from '../sides/in-process.ts';
import type { LotsOrder, MemoryAnswer } from '../sides/ledger-messages.ts';
import { type Curve, closedLoopCurve, pointsUpTo } from './curve.ts';

const BATCH_POINTS = [1, 3, 10, 32, 100, 320, 1_000];
/** More than fill two batches, and no more: who waits for many small ones is refused for its deadline. */
const clientsOf = (batchMax: number): number => Math.max(4, Math.ceil(batchMax * 2.5));

const LOT_POINTS = [0, 1, 13, 100, 365, 1_000, 3_000];
const LOT_WALLETS = 64;
const LOT_CLIENTS = 256;
/** The longest that a program can have: no lot is due while it is measured. */
const LOT_EXPIRY_DAYS = 3_650;
const LOTS_MS_MAX = 600_000;

const ACTOR_POINTS = [1_000, 10_000, 50_000, 100_000, 200_000];
const ACTOR_CLIENTS = 512;
const ACTORS_SECONDS_MAX = 600;

const EXTRA_MS = 60_000;
const unbounded = Number.MAX_SAFE_INTEGER;

export const batch: Curve = async (stage) => {
  const points: { name: string; contestant: Contestant }[] = [];
  for (const size of BATCH_POINTS) {
    const limits = {
      batchCommandsMax: size,
      overlapCommandsMin: Math.min(64, size),
      turnCommandsMax: Math.min(256, size),
    };
    const program = await start(stage, `growth-batch-${size}`, { limits });
    const wallets = stage.environment.surroundings.walletCount;
    const side = sideOf(program, `batches of ${size}`, (seconds) =>
      drive(program, { wallets, clients: clientsOf(size), seconds, expiryDays: null }),
    );
    points.push({ name: formatNumber(size), contestant: contestantOf(side) });
  }
  return await closedLoopCurve(stage, 'Commands of a batch at most, without HTTP', 'batch', points);
};

export const lots: Curve = async (stage) => {
  const points: { name: string; contestant: Contestant }[] = [];
  for (const count of LOT_POINTS) {
    const program = await start(stage, `growth-lots-${count}`, {});
    const expiryDays = count === 0 ? null : LOT_EXPIRY_DAYS;
    if (count > 0) {
      const order: LotsOrder = { type: 'lots', wallets: LOT_WALLETS, lots: count, expiryDays: LOT_EXPIRY_DAYS };
      await program.ask(order, LOTS_MS_MAX);
      console.log(`${LOT_WALLETS} wallets have ${count} lots each`);
    }
    const side = sideOf(program, `${count} lots`, (seconds) =>
      drive(program, { wallets: LOT_WALLETS, clients: LOT_CLIENTS, seconds, expiryDays }),
    );
    points.push({ name: formatNumber(count), contestant: contestantOf(side) });
  }
  return await closedLoopCurve(stage, `Lots of a wallet, ${LOT_WALLETS} wallets, without HTTP`, 'lots', points);
};

/** One process, in which ever more accounts are live; every one has one transaction. */
export const actors: Curve = async (stage) => {
  const program = await start(stage, 'growth-actors', { limits: { actorsRecentMax: runtimeLimits.actorsMax } });
  const rows: string[][] = [];
  let first: MemoryAnswer | null = null;
  for (const count of pointsUpTo(ACTOR_POINTS, stage.actorsMax)) {
    const order = { wallets: count, clients: ACTOR_CLIENTS, expiryDays: null, seconds: ACTORS_SECONDS_MAX };
    await drive(program, order, count);
    const memory = await program.ask<MemoryAnswer>({ type: 'memory' });
    const bytes = first === null ? null : (heapOf(memory) - heapOf(first)) / (memory.actors - first.actors);
    // The first ones bring the code and its caches with them.
    first ??= memory;
    rows.push([
      formatNumber(memory.actors),
      formatNumber(heapOf(memory) / 2 ** 20, 1),
      formatNumber(memory.rssBytes / 2 ** 20, 1),
      bytes === null ? '–' : formatNumber(bytes),
    ]);
    console.log(`${formatNumber(memory.actors)} actors: ${formatNumber(heapOf(memory) / 2 ** 20, 1)} MiB`);
  }
  return {
    table: {
      title: 'Live actors, idle, after a full collection',
      columns: ['actors', 'heap and external MiB', 'resident MiB', 'bytes per further actor'],
      rows,
    },
    notes: ['Actors: the runtime alone; core also knows the programs of two million wallets, at 24 bytes each.'],
  };
};

function heapOf({ heapBytes, externalBytes }: MemoryAnswer): number {
  return heapBytes + externalBytes;
}

async function start(
  { environment }: Parameters<Curve>[0],
  label: string,
  options: Pick<Parameters<typeof startLedgerProcess>[1], 'limits'>,
): Promise<LedgerProcess> {
  return environment.keep(await startLedgerProcess(environment.surroundings, { label, keyPrefix: 'g', ...options }));
}

interface Drive {
  readonly wallets: number;
  readonly clients: number;
  readonly seconds: number;
  readonly expiryDays: number | null;
}

function drive(program: LedgerProcess, order: Drive, requestsMax = unbounded): Promise<Outcome> {
  return program.ask<Outcome>({ type: 'drive', ...order, requestsMax }, order.seconds * 1_000 + EXTRA_MS);
}

function sideOf(program: LedgerProcess, name: string, run: (seconds: number) => Promise<Outcome>): OwnSide {
  return {
    kind: 'own',
    name,
    pid: program.child.pid,
    brokerPid: null,
    countRows: () => countTransactions(program.sql),
    countBusy: () => countBusy(program.sql),
    countBatches: () => countBatches(program.sql),
    audit: () => auditLedger(program.sql),
    drive: (_, seconds) => run(seconds),
    stop: () => program.stop(),
  };
}

function contestantOf(side: OwnSide): Contestant {
  return { side, label: 'without HTTP', plan: uniformSingles, rounds: [] };
}
