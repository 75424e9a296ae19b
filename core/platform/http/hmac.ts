/**
 * HMAC-SHA-256 (RFC 2104) by one-shot digests: two of them take half the time of `createHmac`, which makes an object with
 * native parts for every message, and half a million of those a minute keep the collector busy. A long message, where that
 * does not count, goes the usual way: what is kept here stays small.
 *
 * The keys are 32 to 64 bytes: used as they are. A longer one is digested first.
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto';

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

export class HmacSha256 {
  readonly #secret: Uint8Array;
  /** The padded key, then the message. */
  readonly #inner: Buffer;
  /** The padded key, then the inner digest. */
  readonly #outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES);
  readonly #found = Buffer.alloc(DIGEST_BYTES);
  /** With room for one byte too many. */
  readonly #claimed = Buffer.alloc(DIGEST_BYTES + 1);

  /** @param messageBytes what most messages are no longer than */
  constructor(secret: Uint8Array, messageBytes = 8_192) {
    this.#secret = secret;
    const key = secret.length > BLOCK_BYTES ? hash('sha256', secret, 'buffer') : secret;
    this.#inner = Buffer.alloc(BLOCK_BYTES + messageBytes);
    for (let index = 0; index < BLOCK_BYTES; index++) {
      const byte = key[index] ?? 0;
      this.#inner[index] = byte ^ INNER_PAD;
      this.#outer[index] = byte ^ OUTER_PAD;
    }
  }

  /**
   * Whether `claimed` is the code of `head` (in UTF-8) and `body` together, in the same time wherever they differ.
   *
   * @param claimed base64url; what is no code at all is not the right one
   */
  verifies(head: string, body: Uint8Array, claimed: string): boolean {
    if (this.#claimed.write(claimed, 'base64url') !== DIGEST_BYTES) return false;
    this.#find(head, body);
    return timingSafeEqual(this.#claimed.subarray(0, DIGEST_BYTES), this.#found);
  }

  #find(head: string, body: Uint8Array): void {
    const inner = this.#inner;
    // A UTF-16 unit is three bytes at most.
    if (BLOCK_BYTES + head.length * 3 + body.length > inner.length) {
      createHmac('sha256', this.#secret).update(head).update(body).digest().copy(this.#found);
      return;
    }
    const bodyAt = BLOCK_BYTES + inner.write(head, BLOCK_BYTES);
    inner.set(body, bodyAt);
    // Digests as Latin-1 text: one character per byte, and no buffer of its own.
    this.#outer.write(hash('sha256', inner.subarray(0, bodyAt + body.length), 'binary'), BLOCK_BYTES, 'latin1');
    this.#found.write(hash('sha256', this.#outer, 'binary'), 'latin1');
  }
}
