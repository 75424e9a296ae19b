/** A file of requests of one size, read ahead, one after the other. */
import { closeSync, openSync, readSync } from 'node:fs';

/** Bytes that are read at once. */
const READ_AHEAD_BYTES = 2 ** 21;

export class RequestReader {
  readonly #file: number;
  readonly #bytes: number;
  #buffer = Buffer.alloc(0);
  #at = 0;

  constructor(path: string, bytes: number) {
    this.#file = openSync(path, 'r');
    this.#bytes = bytes;
  }

  /** null: there are no more. */
  next(): Buffer | null {
    if (this.#at >= this.#buffer.length) {
      const requests = Math.max(1, Math.floor(READ_AHEAD_BYTES / this.#bytes));
      const buffer = Buffer.allocUnsafe(this.#bytes * requests);
      const length = readSync(this.#file, buffer);
      if (length < this.#bytes) return null;
      this.#buffer = buffer.subarray(0, length - (length % this.#bytes));
      this.#at = 0;
    }
    this.#at += this.#bytes;
    return this.#buffer.subarray(this.#at - this.#bytes, this.#at);
  }

  close(): void {
    closeSync(this.#file);
  }
}
