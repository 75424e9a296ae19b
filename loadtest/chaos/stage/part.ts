/**
 * One server of the stage as a fault sees it: it can be killed, stopped, continued and asked to end. Whatever ends it, the
 * local stack's supervisor starts it again, after a time that the fault may choose.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Server, type Supervision, supervise } from '@local-plus/deploy';
import { LoadError } from '../../stack.ts';
import { limits } from '../limits.ts';

/** When nobody chose. */
const BACK_MS = 250;

export class Part {
  readonly server: Server;
  readonly #isReady: () => Promise<boolean>;
  readonly #supervision: Supervision;
  #backMs = BACK_MS;
  #starts = 1;

  /** Of a server that runs now. */
  constructor(server: Server, isReady: () => Promise<boolean>, log: (line: string) => void) {
    this.server = server;
    this.#isReady = isReady;
    this.#supervision = supervise(server, {
      log,
      delayMs: () => this.#backMs,
      onRestart: () => {
        this.#starts++;
      },
    });
  }

  get name(): string {
    return this.server.name;
  }

  /** How often it was started. */
  get starts(): number {
    return this.#starts;
  }

  /** SIGKILL; it is started again after `backMs`. */
  async kill(backMs: number): Promise<void> {
    this.#backMs = backMs;
    await this.server.kill();
  }

  /** False: there was no process to signal. */
  signal(signal: NodeJS.Signals, backMs = BACK_MS): boolean {
    const { pid } = this.server;
    if (pid === null) return false;
    this.#backMs = backMs;
    process.kill(pid, signal);
    return true;
  }

  /** Resolves when it answers, and has been started more than `starts` times. Throws a {@link LoadError} when it never does. */
  async isBack(starts = 0): Promise<void> {
    const endMs = performance.now() + limits.backMs;
    while (this.#starts <= starts || this.server.pid === null || !(await this.#isReady())) {
      if (performance.now() > endMs) throw new LoadError(`${this.name} did not come back within ${limits.backMs} ms.`);
      await delay(limits.pollMs);
    }
  }

  stop(): Promise<void> {
    // A stopped process cannot be asked to end.
    this.signal('SIGCONT');
    return this.#supervision.stop();
  }
}

/** Whether it answers 200 now; trouble is `false`. */
export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(limits.probeMs) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}
