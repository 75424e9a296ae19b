/**
 * One history: processes come and go, clients ask, things go wrong; then the faults heal, and everything has to settle.
 */
import { Answers } from './answers.ts';
import { Clients, labelOf } from './clients.ts';
import type { Drain } from './clockwork.ts';
import { Core } from './core.ts';
import { Database } from './database.ts';
import { Judge } from './judge.ts';
import { type Incident, incidents, type Plan } from './plan.ts';
import { Random } from './random.ts';
import { Wires } from './wires.ts';
import { type Met, World } from './world.ts';

/** How long everything may take to settle once nothing goes wrong any more. */
const SETTLE_MS_MAX = 60_000;
/** How long what is still under way then may take to end: late answers, reads. */
const AFTERMATH_MS = 500;
const GRACE_MS = 100;

export interface Report {
  readonly plan: Plan;
  /** null: none. */
  readonly violation: string | null;
  /** Equal histories, equal hashes. */
  readonly hash: number;
  /** How many were begun. */
  readonly operations: number;
  readonly postings: number;
  readonly reads: number;
  readonly happenings: number;
  readonly virtualMs: number;
  readonly met: ReadonlyMap<Met, number>;
}

/** @param trace takes a line for everything that happens; null: nobody wants to read it */
export async function simulate(plan: Plan, trace: string[] | null = null, drain: Drain | null = null): Promise<Report> {
  return new History(plan, trace, drain).run();
}

class History {
  readonly #world: World;
  readonly #random: Random;
  readonly #judge: Judge;
  readonly #wires: Wires;
  readonly #database: Database;
  readonly #answers: Answers;
  readonly #clients: Clients;
  #cores: Core[] = [];
  #coresTotal = 0;

  constructor(plan: Plan, trace: string[] | null, drain: Drain | null) {
    const world = new World(plan, trace, drain);
    this.#world = world;
    this.#random = new Random(plan.seed, 4);
    this.#judge = new Judge(world);
    this.#wires = new Wires(world);
    this.#database = new Database(world, this.#wires, this.#judge);
    this.#answers = new Answers(world, this.#judge);
    const cores = () => this.#cores;
    this.#clients = new Clients({ world, judge: this.#judge, answers: this.#answers, cores });
  }

  async run(): Promise<Report> {
    try {
      await this.#live();
    } catch (cause) {
      this.#world.violate('bug', cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
    }
    const { plan, violation, hash, nowMs, met, clockwork } = this.#world;
    return {
      plan,
      violation,
      hash,
      operations: this.#clients.operationsTotal,
      postings: this.#judge.postings,
      reads: this.#answers.reads,
      happenings: clockwork.happenings,
      virtualMs: nowMs,
      met,
    };
  }

  async #live(): Promise<void> {
    const { clockwork } = this.#world;
    this.#startCore();
    this.#clients.begin();
    this.#arrangeIncidents();
    await clockwork.run(Number.POSITIVE_INFINITY, () => this.#isBroken || this.#clients.allAreAsked);
    this.#heal();
    const ghostsMs = this.#world.nowMs + this.#world.plan.ghostMsMax + this.#world.plan.replyTimeoutMs * 2;
    await this.#settle();
    await clockwork.run(Math.max(this.#world.nowMs, ghostsMs) + AFTERMATH_MS, () => this.#isBroken);
    // Whoever was superseded by the last ghost of a claim finds out.
    this.#clients.askOnce();
    await this.#settle();
    if (!this.#isBroken) await this.#close();
  }

  /** L. */
  async #settle(): Promise<void> {
    const untilMs = this.#world.nowMs + SETTLE_MS_MAX;
    await this.#world.clockwork.run(untilMs, () => this.#isBroken || this.#isSettled);
    if (!this.#isBroken && !this.#isSettled) this.#world.violate('L', this.#unsettled());
  }

  get #isBroken(): boolean {
    return this.#world.violation !== null;
  }

  get #isSettled(): boolean {
    return this.#clients.allAreDone && this.#cores.every(({ runtime }) => runtime.status.pending === 0);
  }

  #unsettled(): string {
    const waiting = this.#clients.waiting.map(labelOf);
    const cores = this.#cores.map(({ name, runtime }) => `${name} ${runtime.status.lane} ${runtime.status.pending}`);
    return `not settled after ${SETTLE_MS_MAX} ms: ${waiting.slice(0, 3).join(', ')}; ${cores.join(', ')}`;
  }

  #startCore(): void {
    const core: Core = new Core(++this.#coresTotal, {
      world: this.#world,
      digest: (text) => this.#judge.digest(text),
      storeOf: (of) => this.#database.storeOf(of),
      committed: (of, batch) => this.#judge.announced(of, batch),
      broken: (of, what) => {
        // A superseded process may be asked to reverse what it has not heard of; nothing comes of it.
        const isUnheard = !this.#judge.isReigning(of) && what.includes('what is reversed has happened');
        if (!isUnheard) this.#world.violate('I2', `${of.name}: ${what}`);
      },
      superseded: (of) => {
        this.#world.meet('superseded');
        this.#world.clockwork.after(this.#random.below(20), () => this.#end(of, 'ends'));
      },
    });
    if (this.#world.isTraced) this.#world.tell(core.name, 'starts');
    this.#cores.push(core);
    void core.runtime.start().then(() => this.#judge.started(core));
  }

  /** A process is gone. There is always another one, sooner or later. */
  #end(core: Core, how: string): void {
    if (!core.isAlive) return;
    if (this.#world.isTraced) this.#world.tell(core.name, how);
    this.#meetEvictions(core);
    core.kill();
    this.#wires.abandon(core);
    this.#cores = this.#cores.filter((other) => other !== core);
    this.#world.clockwork.after(this.#random.between(1, 150), () => {
      if (this.#cores.length === 0) this.#startCore();
    });
  }

  #arrangeIncidents(): void {
    const { plan, clockwork } = this.#world;
    const spanMs = Math.ceil((plan.operations * plan.gapMsMax) / 2);
    for (const incident of incidents) {
      for (let count = 0; count < plan.faults[incident]; count++) {
        clockwork.after(this.#random.below(spanMs), () => {
          if (this.#world.faultsAreOn) this.#happen(incident);
        });
      }
    }
  }

  #happen(incident: Incident): void {
    if (incident === 'restart') return this.#restart();
    if (this.#cores.length === 0) return;
    const core = this.#random.pick(this.#cores);
    this.#world.meet(incident);
    switch (incident) {
      case 'kill':
        return this.#end(core, 'is killed');
      case 'takeover':
        return this.#startCore();
      case 'stop':
        if (this.#world.isTraced) this.#world.tell(core.name, 'is asked to stop');
        void core.runtime.stop(this.#random.below(GRACE_MS)).then(() => this.#end(core, 'has stopped'));
        return;
      case 'pause':
        if (this.#world.isTraced) this.#world.tell(core.name, 'is paused');
        core.pause();
        this.#world.clockwork.after(this.#random.between(1, 800), () => this.#resume(core));
        return;
      case 'clock jump': {
        const jumpMs = this.#random.between(-1_000, 1_000) * this.#world.plan.wallSpeed;
        if (this.#world.isTraced) this.#world.tell(core.name, `sees its clock jump by ${jumpMs} ms`);
        core.skewMs += jumpMs;
      }
    }
  }

  #restart(): void {
    this.#world.meet('restart');
    const downMs = this.#random.between(5, 250);
    if (this.#world.isTraced) this.#world.tell('database', `restarts, is away for ${downMs} ms`);
    this.#wires.restart(downMs);
  }

  #resume(core: Core): void {
    if (!core.isAlive || !core.isPaused) return;
    if (this.#world.isTraced) this.#world.tell(core.name, 'goes on');
    core.resume();
  }

  #heal(): void {
    if (this.#world.isTraced) this.#world.tell('world', 'nothing goes wrong any more');
    this.#world.faultsAreOn = false;
    for (const core of this.#cores) this.#resume(core);
  }

  #meetEvictions({ runtime }: Core): void {
    const { actorsEvicted, actorsUnshelved } = runtime.status;
    if (actorsEvicted > 0) this.#world.meet('actor evicted');
    if (actorsUnshelved > 0) this.#world.meet('actor unshelved');
  }

  /** L, and everything once more: what the owner shows, has told, and the ledger holds, are the books. */
  async #close(): Promise<void> {
    const { owner, batchesTotal } = this.#judge;
    if (owner === null || !owner.isAlive || !this.#judge.isReigning(owner))
      return this.#world.violate('L', `nobody owns the writer: ${this.#unsettled()}`);
    const { status } = owner.runtime;
    if (status.lane !== 'running') return this.#world.violate('L', `the owner's lane is ${status.lane}`);
    const announced = this.#judge.announcedBy(owner);
    if (announced !== batchesTotal)
      this.#world.violate('I5', `${owner.name} announced ${announced} of ${batchesTotal}`);
    for (const core of this.#cores) this.#meetEvictions(core);
    for (const book of this.#judge.books) {
      const rows = this.#database.ledger.transactions(book.accountId);
      if (rows.length !== book.version || rows.at(-1)?.hash !== book.rows.at(-1)?.hash) {
        this.#world.violate('I3', `the ledger has ${rows.length} rows of ${book.accountId}, the book ${book.version}`);
      }
      let shown: number | null = null;
      this.#clients.read(owner, book.accountId, (version) => {
        shown = version;
      });
      const untilMs = this.#world.nowMs + AFTERMATH_MS;
      await this.#world.clockwork.run(untilMs, () => this.#isBroken || shown !== null);
      if (shown !== book.version) this.#world.violate('L', `${owner.name} shows version ${shown} of ${book.version}`);
    }
  }
}
