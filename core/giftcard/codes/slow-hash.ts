/**
 * The slow hash of PINs: scrypt, off the event loop, a bounded number at a time.
 *
 * Memory and threads are what it costs: 16 MiB and one of node's few threads each. So there are never more than
 * `pinsAtOnceMax` at work and `pinsWaitingMax` in line, first come, first served; one more is refused before anything is done.
 */
import { scrypt, timingSafeEqual } from 'node:crypto';
import { ProblemError } from '../../platform/http/index.ts';
import { codeLimits, pinHashMemoryBytes } from './limits.ts';

export interface SlowHashLimits {
  readonly pinsAtOnceMax: number;
  readonly pinsWaitingMax: number;
}

export class SlowHash {
  readonly #limits: SlowHashLimits;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** Hashes made so far. */
  computed = 0;

  constructor(limits: SlowHashLimits = codeLimits) {
    this.#limits = limits;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Throws the problem `overloaded`. */
  async hash(secret: Buffer, salt: Buffer): Promise<Buffer> {
    await this.#enter();
    try {
      this.computed++;
      return await scryptOf(secret, salt);
    } finally {
      this.#leave();
    }
  }

  async matches(secret: Buffer, salt: Buffer, hash: Buffer): Promise<boolean> {
    const made = await this.hash(secret, salt);
    return made.length === hash.length && timingSafeEqual(made, hash);
  }

  #enter(): Promise<void> | void {
    if (this.#running < this.#limits.pinsAtOnceMax) {
      this.#running++;
      return;
    }
    if (this.#waiting.length >= this.#limits.pinsWaitingMax) throw new ProblemError('overloaded');
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
