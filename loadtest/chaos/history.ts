/**
 * The history of a run: every call of a client with every attempt, the answers and their times, one JSON line a call. Times
 * are milliseconds of the suite's monotonic clock. It is what the run is judged by (check/).
 */
import { createWriteStream, type WriteStream } from 'node:fs';
import { limits } from './limits.ts';

export const writeOperations = ['earn', 'burn', 'transfer', 'hold', 'capture', 'release', 'reverse'] as const;
export type WriteOperation = (typeof writeOperations)[number];

/** What a client wants, before it asks. */
export interface Wish {
  readonly operation: WriteOperation | 'balance';
  /** The same at every attempt; of a read ''. */
  readonly key: string;
  /** Whose account changes, or is read; of a transfer the giver. */
  readonly walletId: string;
  /** Of a transfer: the receiver. */
  readonly toWalletId: string | null;
  /** The hold, or the transaction to reverse. */
  readonly target: string | null;
  /** null: all, or none. */
  readonly amount: number | null;
}

export interface Attempt {
  readonly sentMs: number;
  readonly endedMs: number;
  /** 0: no answer at all. */
  readonly status: number;
  /** Of a problem document; what the connection did; null: a success. */
  readonly code: string | null;
  /** The answer says that it is an earlier one. */
  readonly isReplayed: boolean;
}

/**
 * - `ok`: a success. `refused`: 409, it will never be under this key.
 * - `rejected`: another 4xx that repeating does not change.
 * - `unknown`: the client gave up, or went away.
 */
export type Outcome = 'ok' | 'refused' | 'rejected' | 'unknown';

/** Why it was asked. `settle`: what another call of this key became; `repeat`: for the answer that was had before. */
export type Purpose = 'opening' | 'load' | 'repeat' | 'abort' | 'settle' | 'probe';

export interface Call extends Wish {
  readonly purpose: Purpose;
  readonly attempts: readonly Attempt[];
  readonly outcome: Outcome;
  /** The body of the last answer where it was a success or a refusal; else null. */
  readonly answer: unknown;
}

export const startOf = (call: Call): number => call.attempts[0]?.sentMs ?? Number.NEGATIVE_INFINITY;
/** When the client knew; never, while the outcome is unknown. */
export const endOf = (call: Call): number =>
  call.outcome === 'unknown' ? Number.POSITIVE_INFINITY : (call.attempts.at(-1)?.endedMs ?? Number.POSITIVE_INFINITY);

export class History {
  readonly calls: Call[] = [];
  readonly #file: WriteStream;

  constructor(path: string) {
    this.#file = createWriteStream(path);
  }

  add(call: Call): void {
    if (this.calls.length >= limits.callsMax)
      throw new Error(`a run may have ${limits.callsMax} calls; run shorter ones`);
    this.calls.push(call);
    this.#file.write(`${JSON.stringify(call)}\n`);
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#file.end(resolve));
  }
}
