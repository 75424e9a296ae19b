/**
 * One core process: the real runtime on simulated ports. It can be paused (its events wait), killed (it hears and does
 * nothing any more), and live on beside its successor.
 */
import type { CommittedBatch, LedgerStore, Log } from '../ports.ts';
import { Runtime } from '../runtime/runtime.ts';
import type { World } from './world.ts';

export const WRITER_ID = 1;

/** The wall clock when a history begins: a UTC midnight. */
const EPOCH_MS = 1_699_920_000_000;

export interface CorePorts {
  readonly world: World;
  readonly digest: (text: string) => string;
  readonly storeOf: (core: Core) => LedgerStore;
  readonly committed: (core: Core, batch: CommittedBatch) => void;
  readonly superseded: (core: Core) => void;
  /** It met a broken invariant, and says so. */
  readonly broken: (core: Core, what: string) => void;
}

export class Core {
  readonly name: string;
  readonly runtime: Runtime;
  readonly #world: World;
  isAlive = true;
  /** It has been paused: it may be late with everything. */
  wasPaused = false;
  #isPaused = false;
  #backlog: (() => void)[] = [];
  /** How far its wall clock is off. */
  skewMs = 0;

  constructor(number: number, ports: CorePorts) {
    this.name = `core ${number}`;
    this.#world = ports.world;
    const { clockwork, plan } = ports.world;
    this.runtime = new Runtime({
      store: ports.storeOf(this),
      clock: { nowMs: () => this.wallMs, monotonicMs: () => clockwork.nowMs },
      timer: {
        after: (delayMs, run) => {
          const happening = clockwork.after(delayMs, () => this.#wake(run));
          return () => {
            happening.run = null;
          };
        },
        soon: (run) => {
          clockwork.after(0, () => this.deliver(run));
        },
      },
      log: this.#log(ports.broken),
      digest: ports.digest,
      writerId: WRITER_ID,
      limits: plan.limits,
      committed: (batch) => ports.committed(this, batch),
      superseded: () => ports.superseded(this),
    });
  }

  get wallMs(): number {
    return EPOCH_MS + this.#world.nowMs * this.#world.plan.wallSpeed + this.skewMs;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whatever reaches the process: at once, when it goes on, or never. Who settles a promise by it stirs the clockwork. */
  deliver(run: () => void): void {
    if (!this.isAlive) return;
    if (this.#isPaused) {
      this.#backlog.push(run);
      return;
    }
    run();
  }

  /** `stop` waits by timers. */
  #wake(run: () => void): void {
    this.#world.clockwork.stir();
    this.deliver(run);
  }

  pause(): void {
    this.#isPaused = true;
    this.wasPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#world.clockwork.stir();
    const backlog = this.#backlog;
    this.#backlog = [];
    for (const run of backlog) this.deliver(run);
  }

  kill(): void {
    this.isAlive = false;
    this.#backlog = [];
  }

  #log(broken: CorePorts['broken']): Log {
    const tell = (event: string, fields?: Readonly<Record<string, unknown>>): void => {
      if (this.#world.isTraced) this.#world.tell(this.name, `logs: ${event} ${fields ? JSON.stringify(fields) : ''}`);
    };
    return {
      info: tell,
      warn: tell,
      error: (event, fields) => {
        tell(event, fields);
        if (event === 'invariant violated' || event === 'an account cannot be restored') {
          broken(this, `${event} ${JSON.stringify(fields)}`);
        }
      },
    };
  }
}
