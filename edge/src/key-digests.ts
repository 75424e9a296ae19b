/**
 * The SHA-256 of API keys that are in use, so that a key is not hashed for each of its requests.
 *
 * D1  No key is kept. What is remembered is found by the key's tag: a pseudo-random function under a key of this isolate's,
 *     drawn at the first use, that nobody outside it can compute or seek two API keys of one tag for.
 * D2  Bounded in number and in age, though a digest never changes: of a key that is not used nothing stays for long.
 */
import { LRUCache } from 'lru-cache';
import { bytesOf, hex, sha256 } from './encoding.ts';
import { edgeLimits } from './limits.ts';
import { type SipKey, sipHash128 } from './siphash.ts';

export class KeyDigests {
  readonly #digests = new LRUCache<string, { digest: string; sinceMs: number }>({ max: edgeLimits.keyDigestsMax });
  /** Workers allow no randomness before the first request. */
  #tagKey: SipKey | null = null;

  /** Lower-case hex of the SHA-256 of `key`, which is ASCII; at once when it is remembered. */
  of(key: string, steadyMs: number): string | Promise<string> {
    this.#tagKey ??= drawKey();
    const tag = sipHash128(this.#tagKey, key);
    const known = this.#digests.get(tag);
    if (known !== undefined && steadyMs - known.sinceMs < edgeLimits.keyDigestMs) return known.digest;
    return this.#compute(key, tag, steadyMs);
  }

  async #compute(key: string, tag: string, sinceMs: number): Promise<string> {
    const digest = await keyDigest(key);
    this.#digests.set(tag, { digest, sinceMs });
    return digest;
  }
}

function drawKey(): SipKey {
  const [a = 0, b = 0, c = 0, d = 0] = crypto.getRandomValues(new Int32Array(4));
  return [a, b, c, d];
}

/** Lower-case hex of the key's SHA-256: what core knows it by. */
export async function keyDigest(key: string): Promise<string> {
  return hex(await sha256(bytesOf(key)));
}
