/**
 * What the machine did in each second of a long run: whether its slow seconds are those of a check-point, of a processor that
 * waits, or of one that takes longer for the same work.
 */
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import { childrenCpuS, readMachineCpuS, readTrees } from '../../processor-time.ts';
import { formatNumber, type Table } from '../../table.ts';
import { mean } from '../report/statistics.ts';
import { yardstickMs } from './yardstick.ts';

const EVERY_MS = 250;
/** How Postgres calls a process that has a client: by user, database, and address with port. */
const hasClient = /^postgres: .*\(\d+\)/;
/** So many of the seconds, at least one, are the slow ones. */
const SLOW_SHARE = 0.05;

/** Running totals at a moment. */
interface Totals {
  readonly serverS: number;
  readonly postgresS: number;
  /** Of that, what has no client: vacuum and its readers, check-points, writers; and clients that have left. */
  readonly housekeepingS: number;
  readonly machineS: number;
  /** Written by check-points. */
  readonly buffers: number;
  /** Images of whole pages in the log: of pages written for the first time since a check-point. Vacuum tells its own at its end. */
  readonly images: number;
  /** How often the yardstick was laid on, and how long that took. */
  readonly yards: number;
  readonly yardsMs: number;
}

export interface Sample extends Totals {
  /** On the clock of `Date.now()`. */
  readonly atMs: number;
}

/** What was used, and written, from one moment to another, and how much was done. */
export interface Second extends Totals {
  readonly earns: number;
}

export interface MachineWatch {
  /** Grows until it is stopped. */
  readonly samples: readonly Sample[];
  /** Rejects when Postgres did not answer meanwhile. */
  stop(): Promise<void>;
}

export interface Watched {
  readonly serverPid: number;
  readonly postgresPid: number;
  readonly postgresUrl: string;
}

/** Begins to look. Linux only: elsewhere processor time is 0. */
export function watchMachine(watched: Watched): MachineWatch {
  const sql = postgres(watched.postgresUrl, { max: 1, onnotice: () => undefined });
  const samples: Sample[] = [];
  let isOver = false;
  let yardsMs = 0;
  const look = async (): Promise<void> => {
    yardsMs += yardstickMs();
    samples.push({ ...(await sampleOf(sql, watched)), yards: samples.length + 1, yardsMs });
  };
  const watching = (async () => {
    while (!isOver) {
      await look();
      await delay(EVERY_MS);
    }
    // The end of the last second, too.
    await look();
  })();
  // Who stops it is told.
  watching.catch(() => undefined);
  return {
    samples,
    async stop() {
      isOver = true;
      await watching.finally(() => sql.end({ timeout: 5 }));
    },
  };
}

/**
 * @param startedAtMs when the first second began, on the clock of `Date.now()`
 * @param earns of each second
 */
export function secondsOf(samples: readonly Sample[], startedAtMs: number, earns: readonly number[]): Second[] {
  return earns.map((count, second) => {
    const from = totalsAt(samples, startedAtMs + second * 1_000);
    const to = totalsAt(samples, startedAtMs + (second + 1) * 1_000);
    return { earns: count, ...totals((key) => to[key] - from[key]) };
  });
}

async function sampleOf(
  sql: postgres.Sql,
  { serverPid, postgresPid }: Watched,
): Promise<Omit<Sample, 'yards' | 'yardsMs'>> {
  const [row] = await sql<{ buffers: string; images: string }[]>`
    select buffers_written as buffers, wal_fpi as images from pg_stat_checkpointer, pg_stat_wal`;
  const uses = readTrees([serverPid, postgresPid]);
  const ofPostgres = uses.get(postgresPid);
  const postgresS = ofPostgres?.cpuS ?? 0;
  const clientsS = ofPostgres ? childrenCpuS(ofPostgres, (commandLine) => hasClient.test(commandLine)) : 0;
  return {
    atMs: Date.now(),
    serverS: uses.get(serverPid)?.cpuS ?? 0,
    postgresS,
    housekeepingS: postgresS - clientsS,
    machineS: readMachineCpuS(),
    buffers: Number(row?.buffers),
    images: Number(row?.images),
  };
}

/** Between two looks as much was used in each millisecond; before the first and after the last nothing is known. */
function totalsAt(samples: readonly Sample[], atMs: number): Totals {
  const found = samples.findIndex((sample) => sample.atMs >= atMs);
  const next = found === -1 ? samples.length - 1 : Math.max(1, found);
  const [one, other] = [samples[next - 1], samples[next]];
  if (one === undefined || other === undefined) throw new Error('too few looks at the machine');
  const share = Math.min(1, Math.max(0, (atMs - one.atMs) / (other.atMs - one.atMs)));
  return totals((key) => one[key] + (other[key] - one[key]) * share);
}

function totals(of: (key: keyof Totals) => number): Totals {
  return {
    serverS: of('serverS'),
    postgresS: of('postgresS'),
    housekeepingS: of('housekeepingS'),
    machineS: of('machineS'),
    buffers: of('buffers'),
    images: of('images'),
    yards: of('yards'),
    yardsMs: of('yardsMs'),
  };
}

/** The slowest seconds beside the others. */
export function slowSeconds(seconds: readonly Second[]): Table {
  const byRate = seconds.toSorted((one, other) => one.earns - other.earns);
  const slowCount = Math.max(1, Math.floor(seconds.length * SLOW_SHARE));
  const row = (name: string, some: readonly Second[]): string[] => {
    const earns = mean(some.map((second) => second.earns));
    const per = (key: keyof Totals): number => mean(some.map((second) => second[key]));
    const checkpoints = some.filter(({ buffers }) => buffers >= 1).length / some.length;
    return [
      name,
      String(some.length),
      formatNumber(earns),
      formatNumber((per('serverS') / earns) * 1e6, 1),
      formatNumber((per('postgresS') / earns) * 1e6, 1),
      formatNumber((per('housekeepingS') / earns) * 1e6, 1),
      formatNumber(per('machineS'), 2),
      formatNumber((per('yardsMs') / per('yards')) * 1_000),
      `${formatNumber(100 * checkpoints)} %`,
      formatNumber(per('images')),
    ];
  };
  return {
    title: 'The slowest seconds beside the others',
    columns: [
      '',
      'seconds',
      'earns/s',
      'core µs',
      'Postgres µs',
      'of it housekeeping',
      'processors busy',
      'always the same work, µs',
      'during a check-point',
      'page images/s',
    ],
    rows: [
      row(`the slowest ${SLOW_SHARE * 100} %`, byRate.slice(0, slowCount)),
      row('the others', byRate.slice(slowCount)),
    ],
  };
}
