/**
 * The slow hash of PINs: scrypt, off the event loop, a bounded number at a time.
 *
 * Memory and threads are what it costs: 16 MiB and one of node's few threads each. So there are never more than
 * `pinsAtOnceMax` at work and `pinsWaitingMax` in line, or about to be, first come, first served; one more is refused before
 * anything is done.
 */
import { scrypt } from 'node:crypto';
import { ProblemError } from '../../platform/http/index.ts';
import { codeLimits, pinHashMemoryBytes } from './limits.ts';

export interface SlowHashLimits {
  readonly pinsAtOnceMax: number;
  readonly pinsWaitingMax: number;
}

export type Hash = (secret: Buffer, salt: Buffer) => Promise<Buffer>;

export class SlowHash {
  readonly #limits: SlowHashLimits;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** Those at work, those in line, and those who are sure of a place there. */
  #places = 0;
  /** Hashes made so far. */
  computed = 0;

  constructor(limits: SlowHashLimits = codeLimits) {
    this.#limits = limits;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Throws the problem `overloaded`. */
  hash(secret: Buffer, salt: Buffer): Promise<Buffer> {
    return this.withPlace((hash) => hash(secret, salt));
  }

  /** Throws the problem `overloaded` before `run` is begun; what it hashes then, one after the other, is not refused. */
  async withPlace<Result>(run: (hash: Hash) => Promise<Result>): Promise<Result> {
    const { pinsAtOnceMax, pinsWaitingMax } = this.#limits;
    if (this.#places >= pinsAtOnceMax + pinsWaitingMax) throw new ProblemError('overloaded');
    this.#places++;
    try {
      return await run((secret, salt) => this.#hash(secret, salt));
    } finally {
      this.#places--;
    }
  }

  async #hash(secret: Buffer, salt: Buffer): Promise<Buffer> {
    await this.#enter();
    try {
      this.computed++;
      return await scryptOf(secret, salt);
    } finally {
      this.#leave();
    }
  }

  #enter(): Promise<void> | void {
    if (this.#running < this.#limits.pinsAtOnceMax) {
      this.#running++;
      return;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The place goes to whoever waits longest, without ever being free. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
  }
}

function scryptOf(secret: Buffer, salt: Buffer): Promise<Buffer> {
  const { cost, blockSize, parallelization, bytes } = codeLimits.pinHash;
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const options = { cost, blockSize, parallelization, maxmem: pinHashMemoryBytes };
  scrypt(secret, salt, bytes, options, (error, made) => (error === null ? resolve(made) : reject(error)));
  return promise;
}
