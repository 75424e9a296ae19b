/** Who takes part: sides are started when they are first asked for, and shared by the scenarios of a run. */
import { fileURLToPath } from 'node:url';
import { formatNumber } from '../table.ts';
import type { Environment } from './environment.ts';
import { single } from './load/shape.ts';
import { type RoundSettings, runRound } from './round.ts';
import { type HttpSide, type OwnSide, type Side, type Workload, workloads } from './side.ts';
import { startEcho } from './sides/echo.ts';
import { startInProcess } from './sides/in-process.ts';
import { startOurs } from './sides/ours.ts';
import { type PgbenchSide, startPgbench } from './sides/pgbench.ts';
import { createRivalDatabase, rivalTitles, startRival } from './sides/rival.ts';
import type { RivalName } from './sides/rival-ledger.ts';
import { startTigerBeetle } from './sides/tigerbeetle.ts';

export const sideNames = [
  'ours',
  'ours-relay',
  'row-lock',
  'procedure',
  'version-check',
  'queue',
  'echo',
  'in-process',
  'pgbench',
  'tigerbeetle',
] as const;
export type SideName = (typeof sideNames)[number];

/** A side and what it is expected to do at first. */
export interface Part<Kind extends Side = Side> {
  readonly side: Kind;
  readonly expectedPerSecond: number | null;
}

const pools = [8, 16, 32, 64] as const;
/** More than any of them reaches. */
const POOL_TRIAL_PER_SECOND = 6_000;
const POOL_TRIAL_SECONDS = 3;

export class Cast {
  readonly notes: string[] = [];
  readonly #environment: Environment;
  readonly #settings: RoundSettings;
  readonly #tigerBeetleDir: string | null;
  readonly #started = new Map<string, Side>();
  readonly #rivals = new Map<RivalName, Record<Workload, Part<HttpSide>>>();
  #pgbench: PgbenchSide | null = null;

  constructor(environment: Environment, settings: RoundSettings, tigerBeetleDir: string | null) {
    this.#environment = environment;
    this.#settings = settings;
    this.#tigerBeetleDir = tigerBeetleDir;
  }

  /** Everybody who was started. */
  get sides(): readonly Side[] {
    return [...this.#started.values()];
  }

  /** null: it cannot be had on this machine; a note says why. */
  async find(name: SideName, workload: Workload): Promise<Part | null> {
    switch (name) {
      case 'ours':
      case 'ours-relay':
        return unknown(await this.ours(name));
      case 'echo':
        return unknown(await this.#once(name, () => startEcho(this.#environment.surroundings)));
      case 'in-process':
        return unknown(await this.#inProcess());
      case 'pgbench':
        return await this.#findPgbench();
      case 'tigerbeetle':
        return await this.#findTigerBeetle();
      default:
        return await this.rival(name, workload);
    }
  }

  async ours(name: 'ours' | 'ours-relay'): Promise<HttpSide> {
    return await this.#once(name, () =>
      startOurs(this.#environment.surroundings, { withRelay: name === 'ours-relay' }),
    );
  }

  /** Ours, without any possibility of other processes. */
  async oursAlone(): Promise<HttpSide> {
    const entry = fileURLToPath(new URL('sides/core-alone.ts', import.meta.url));
    const options = { label: 'ours-alone', title: 'ours, with nobody to share with', entry };
    return await this.#once('ours-alone', () => startOurs(this.#environment.surroundings, options));
  }

  /** With the size of the pool that suits it best under this workload. */
  async rival(name: RivalName, workload: Workload): Promise<Part<HttpSide>> {
    const known = this.#rivals.get(name) ?? (await this.#bestPools(name));
    this.#rivals.set(name, known);
    return known[workload];
  }

  /** The limit inserts the batches that ours took. */
  heardOfBatches(workload: Workload, rows: number): void {
    this.#pgbench?.setBatchRows(workload, rows);
  }

  /** Says of each side in words what contradicts itself in its store. */
  async audit(): Promise<string[]> {
    const faults: string[] = [];
    for (const side of this.sides) {
      for (const fault of (await side.audit?.()) ?? []) faults.push(`${side.name}: ${fault}`);
    }
    return faults;
  }

  async #once<Kind extends Side>(name: string, start: () => Promise<Kind>): Promise<Kind> {
    const known = this.#started.get(name);
    // What a name was started as, it stays.
    if (known !== undefined) return known as Kind;
    const side = this.#environment.keep(await start());
    this.#started.set(name, side);
    return side;
  }

  #inProcess(): Promise<OwnSide> {
    const { connections } = this.#settings;
    return this.#once('in-process', () => startInProcess(this.#environment.surroundings, connections));
  }

  async #findPgbench(): Promise<Part | null> {
    const { surroundings, postgresPid } = this.#environment;
    this.#pgbench ??= await startPgbench(surroundings, postgresPid);
    const side = this.#pgbench;
    if (side === null) {
      this.#note('pgbench is left out: it is not on PATH (on Debian: apt-get install postgresql-contrib).');
      return null;
    }
    return unknown(await this.#once('pgbench', async () => side));
  }

  async #findTigerBeetle(): Promise<Part | null> {
    const folder = this.#tigerBeetleDir;
    if (folder === null) {
      this.#note('TigerBeetle is left out: --tigerbeetle names no folder with its program and its client.');
      return null;
    }
    return unknown(await this.#once('tigerbeetle', () => startTigerBeetle(this.#environment.surroundings, folder)));
  }

  /** Every size of the pool under both workloads, one after the other; the best for each is what is compared. */
  async #bestPools(name: RivalName): Promise<Record<Workload, Part<HttpSide>>> {
    const { surroundings } = this.#environment;
    const database = await createRivalDatabase(surroundings, name);
    const seconds = Math.min(POOL_TRIAL_SECONDS, this.#settings.seconds);
    const trial = { ...this.#settings, seconds, warmupSeconds: Math.min(1, this.#settings.warmupSeconds) };
    const rates: { pool: number; workload: Workload; perSecond: number }[] = [];
    for (const pool of pools) {
      const side = this.#environment.keep(await startRival(surroundings, database, pool));
      for (const workload of workloads) {
        const plan = { workload, shape: single, expectedPerSecond: POOL_TRIAL_PER_SECOND };
        const { perSecond } = await runRound(trial, side, plan);
        rates.push({ pool, workload, perSecond });
        console.log(`${side.name}, ${pool} connections to Postgres, ${workload}: ${formatNumber(perSecond)}/s`);
      }
      await this.#environment.release(side);
    }
    const best = async (workload: Workload): Promise<Part<HttpSide>> => {
      const ranked = rates.filter((rate) => rate.workload === workload).sort((a, b) => b.perSecond - a.perSecond);
      const { pool, perSecond } = ranked[0] ?? { pool: pools[0], perSecond: 0 };
      const all = ranked.map((rate) => `${rate.pool}: ${formatNumber(rate.perSecond)}/s`).join(', ');
      this.#note(`${rivalTitles[name]}, ${workload}: ${pool} connections to Postgres, the best of ${all}.`);
      const side = await this.#once(`${name}-${pool}`, () => startRival(surroundings, database, pool));
      return { side, expectedPerSecond: perSecond };
    };
    return { uniform: await best('uniform'), hot: await best('hot') };
  }

  #note(text: string): void {
    if (!this.notes.includes(text)) this.notes.push(text);
  }
}

function unknown(side: Side): Part {
  return { side, expectedPerSecond: null };
}
