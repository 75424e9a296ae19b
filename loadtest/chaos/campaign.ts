/** One run: the stage, the clients, the faults of both lanes beside each other, then calm, and the checker's verdict. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Random } from '../../actors/simulator/random.ts';
import { type CheckResult, Violations } from '../reconcile/checks.ts';
import { repositoryDir } from '../stack-process.ts';
import type { Arguments } from './arguments.ts';
import { check } from './check/index.ts';
import { Caller } from './clients/caller.ts';
import { inTurns, Load } from './clients/load.ts';
import { coreLines, pausesOf, type Refused, refusedOf } from './core-logs.ts';
import { type Fault, type Lane, lanes, type Mark, type Scene } from './faults/index.ts';
import { type Figures, figuresOf } from './figures.ts';
import { History, type Wish } from './history.ts';
import { limits } from './limits.ts';
import { planOf } from './schedule.ts';
import { type Settled, settle } from './settle.ts';
import type { Stage } from './stage/stage.ts';
import { createTenant, type Tenant } from './tenant.ts';

export interface Outcome {
  readonly struck: Readonly<Record<string, number>>;
  readonly notRun: Readonly<Record<string, string>>;
  readonly marks: readonly Mark[];
  readonly moves: number;
  readonly refused: Refused;
  readonly figures: Figures;
  readonly settled: Settled;
  readonly unknownLeft: number;
  readonly unknownLeftHappened: number;
  readonly checks: readonly CheckResult[];
}

const OPENING_AT_A_TIME = 16;
/** The streams of one seed: the lanes take the first ones. */
const CLIENTS_STREAM = 100;

export class Campaign {
  readonly #stage: Stage;
  readonly #args: Arguments;
  readonly #signal: AbortSignal;
  readonly #log: (line: string) => void;
  readonly #marks: Mark[] = [];
  readonly #struck: Record<string, number> = {};
  readonly #notRun: Record<string, string> = {};
  readonly #troubles = new Violations('L every fault is over in time');
  readonly #startedMs = performance.now();

  constructor(stage: Stage, args: Arguments, signal: AbortSignal, log: (line: string) => void) {
    this.#stage = stage;
    this.#args = args;
    this.#signal = signal;
    this.#log = log;
  }

  async run(): Promise<Outcome> {
    const { dir, edgeUrl, adminToken, observer } = this.#stage;
    const tenant = await createTenant(edgeUrl, adminToken);
    const history = new History(join(dir, 'history.ndjson'));
    const caller = new Caller({ edgeUrl, apiKey: tenant.apiKey, history });
    const checkpoints = setInterval(() => void observer.checkpoint(), limits.checkpointMs);
    try {
      await inTurns(tenant.walletIds, OPENING_AT_A_TIME, (walletId) => caller.call(openingOf(walletId), 'opening'));
      await this.#strikeUnderLoad(tenant, caller);
      this.#say('everything is healed; it has to settle');
      const settled = await settle(this.#stage, caller, tenant.walletIds, history.calls, this.#args);
      return await this.#judge(history, settled);
    } finally {
      clearInterval(checkpoints);
      caller.close();
      await history.close();
    }
  }

  async #strikeUnderLoad(tenant: Tenant, caller: Caller): Promise<void> {
    const { seed, ratePerS, attemptsMax, seconds } = this.#args;
    const random = new Random(seed, CLIENTS_STREAM);
    const load = new Load({ caller, random, walletIds: tenant.walletIds, ratePerS, attemptsMax });
    this.#say(`${ratePerS} calls a second over ${tenant.walletIds.length} wallets`);
    try {
      await this.#pause(limits.calmMs);
      const endMs = performance.now() + seconds * 1_000;
      const events = createWriteStream(join(this.#stage.dir, 'faults.ndjson'));
      const scene: Scene = {
        stage: this.#stage,
        tenant,
        caller,
        mark: (mark) => {
          this.#marks.push(mark);
          events.write(`${JSON.stringify(mark)}\n`);
        },
        pause: (ms) => this.#pause(ms),
      };
      await Promise.all(lanes.map((lane) => this.#strike(lane, scene, endMs)));
      events.end();
      await this.#pause(limits.calmMs);
    } finally {
      await load.finish();
    }
  }

  async #strike(lane: Lane, scene: Scene, endMs: number): Promise<void> {
    const faults = this.#args.faults.filter((fault) => this.#canRun(fault));
    for (const { fault, gapMs, draw } of planOf(this.#args.seed, lane, faults)) {
      if (performance.now() + gapMs > endMs) return;
      await this.#pause(gapMs);
      const what = fault.name.startsWith('link-') ? `${fault.name} ${draw.link}` : fault.name;
      this.#say(`${what} ${JSON.stringify({ core: draw.core, forMs: draw.forMs, backMs: draw.backMs })}`);
      this.#troubles.looked++;
      this.#struck[fault.name] = (this.#struck[fault.name] ?? 0) + 1;
      try {
        await fault.strike(scene, draw);
      } catch (error) {
        this.#signal.throwIfAborted();
        this.#troubles.add(`${what}: ${String(error)}`);
      }
    }
  }

  #canRun({ name, needs }: Fault): boolean {
    const means = needs === undefined ? null : this.#stage[needs];
    if (means === null || !('missing' in means)) return true;
    this.#notRun[name] = means.missing;
    return false;
  }

  async #judge(history: History, settled: Settled): Promise<Outcome> {
    const stage = this.#stage;
    const moves = await stage.observer.moves();
    const { databaseUrl, brokers, firstOwners } = stage;
    const { calls } = history;
    const refusals = await stage.observer.refusals();
    writeFileSync(join(stage.dir, 'moves.json'), JSON.stringify({ firstOwners, moves }));
    const sources = { databaseUrl, brokers, firstOwners, moves, refusals, calls, log: this.#log };
    const verdict = await check(sources);
    const audit = await this.#audit();
    const lines = coreLines(stage);
    return {
      struck: this.#struck,
      notRun: this.#notRun,
      marks: this.#marks,
      moves: moves.length,
      refused: refusedOf(lines),
      figures: figuresOf(calls, this.#marks, pausesOf(lines)),
      settled,
      unknownLeft: verdict.unknown,
      unknownLeftHappened: verdict.unknownHappened,
      checks: [...verdict.results, audit, ...settled.results, this.#troubles.result()],
    };
  }

  /** The ledger's own auditor, which recomputes it from its tables. */
  async #audit(): Promise<CheckResult> {
    const audit = new Violations('verify-ledger finds nothing wrong');
    audit.looked++;
    const program = join(repositoryDir, 'core', 'verify-ledger.ts');
    const child = spawn(process.execPath, [program, '--database-url', this.#stage.databaseUrl], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: limits.verifyMs,
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
    }
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) audit.add(text.trim().split('\n').slice(-5).join(' '));
    return audit.result();
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#signal });
  }

  #say(line: string): void {
    this.#log(`${((performance.now() - this.#startedMs) / 1_000).toFixed(1).padStart(7)} s  ${line}`);
  }
}

function openingOf(walletId: string): Wish {
  const key = `opening-${walletId}`;
  return { operation: 'earn', key, walletId, toWalletId: null, target: null, amount: limits.openingPoints };
}
