/** Curves of the whole way over HTTP: wallets, rows, clients. A ledger of its own for every size, all of them in one run. */
import { formatNumber } from '../../table.ts';
import type { Contestant } from '../interleave.ts';
import { uniformSingles, useEveryWallet } from '../round.ts';
import type { HttpSide, Side } from '../side.ts';
import { startOurs } from '../sides/ours.ts';
import { type Curve, type CurveStage, closedLoopCurve, lastOverFirst, pointsUpTo } from './curve.ts';
import { fillLedger } from './fill.ts';

const WALLET_POINTS = [1_000, 10_000, 100_000, 1_000_000];
const ROW_POINTS = [100_000, 1_000_000, 10_000_000, 20_000_000];
const CLIENT_POINTS = [1, 4, 16, 64, 256, 1_024, 4_096];

/** Every wallet has a past, and all ledgers are of one size. */
const ROWS_WHILE_WALLETS_GROW = 1_000_000;
const WALLETS_WHILE_ROWS_GROW = 10_000;

export const wallets: Curve = async (stage) => {
  const sizes = pointsUpTo(WALLET_POINTS, stage.walletsMax);
  const rows = Math.max(ROWS_WHILE_WALLETS_GROW, stage.walletsMax);
  const points = await ledgers(
    stage,
    sizes,
    (size) => ({ wallets: size, rows: Math.min(rows, stage.rowsMax) }),
    'wallets',
  );
  for (const { side } of points) await useEveryWallet(stage.settings, side);
  const { table, series } = await closedLoopCurve(stage, 'Wallets, asked in an order of chance', 'wallets', points);
  const name = `${sizes.at(-1)?.toLocaleString('en-US')} wallets ÷ ${sizes[0]?.toLocaleString('en-US')}`;
  return {
    table,
    series,
    figures: lastOverFirst(name, 0.8, series),
    notes: [
      'Wallets: each was used once before. Past 100,000 actors one makes room for another, and its state stays in memory.',
    ],
  };
};

export const rows: Curve = async (stage) => {
  const sizes = pointsUpTo(ROW_POINTS, stage.rowsMax);
  const points = await ledgers(stage, sizes, (size) => ({ wallets: WALLETS_WHILE_ROWS_GROW, rows: size }), 'rows');
  const { table, series } = await closedLoopCurve(stage, 'Rows of the ledger, 10,000 wallets', 'rows', points);
  const name = `${sizes.at(-1)?.toLocaleString('en-US')} rows ÷ ${sizes[0]?.toLocaleString('en-US')}`;
  return { table, series, figures: lastOverFirst(name, 0.9, series) };
};

export const clients: Curve = async (stage) => {
  const side = stage.environment.keep(await startOurs(stage.environment.surroundings, { label: 'growth-clients' }));
  const points = CLIENT_POINTS.map((connections) => ({
    name: formatNumber(connections),
    contestant: { ...contestantOf(side), connections },
  }));
  return await closedLoopCurve(stage, 'Clients, closed loop', 'clients', points);
};

async function ledgers(
  { environment }: CurveStage,
  sizes: readonly number[],
  planOf: (size: number) => { wallets: number; rows: number },
  what: string,
) {
  const points: { name: string; contestant: Contestant; side: HttpSide }[] = [];
  for (const size of sizes) {
    const label = `growth-${what}-${size}`;
    const side = environment.keep(
      await startOurs(environment.surroundings, {
        label,
        fill: (databaseUrl, tenant) =>
          fillLedger(databaseUrl, tenant, { ...planOf(size), log: (line) => console.log(`${label}: ${line}`) }),
      }),
    );
    points.push({ name: formatNumber(size), contestant: contestantOf(side), side });
  }
  return points;
}

export function contestantOf(side: Side): Contestant {
  return { side, label: side.name, plan: uniformSingles, rounds: [] };
}
