/**
 * An issuer's public keys (RFC 7517 §5), as its JWKS address publishes them.
 *
 * J1  Keys are younger than `jwksFreshMs`: used as they are. Older: used, and asked for again behind. Older than
 *     `jwksServedMs`: not used; whoever needs one waits for the issuer, and is told that it is away.
 * J2  A `kid` that is not there is asked for at once, as the issuer may have rotated; for unknown ones the issuer is
 *     asked at most every `jwksUnknownMs`, so that nobody can make us flood it.
 * J3  One question is under way at a time, and one that never ends is given up (cache/question.ts).
 * J4  Only the configured address is asked. Nothing of a token becomes part of it; a redirect is no answer.
 */
import { readJson } from '@local-plus/contracts';
import { readBounded } from '../body.ts';
import { Question } from '../cache/question.ts';
import { edgeLimits } from '../limits.ts';
import type { Ports, RequestInfo } from '../ports.ts';
import { type Algorithm, importJwk, type VerificationKey } from './algorithms.ts';

export type KeyFinding =
  | { readonly kind: 'found'; readonly key: VerificationKey }
  | { readonly kind: 'unknown' }
  /** The issuer has to be asked, and cannot be. */
  | { readonly kind: 'away' };

type WaitUntil = RequestInfo['waitUntil'];

const { jwksFreshMs, jwksServedMs, jwksUnknownMs, jwksRetryMs, jwksBudgetMs, jwksBytesMax, jwksKeysMax } = edgeLimits;
const { jwksAskingMs: askingMs } = edgeLimits;

/** `what` is all that is logged of it (reporter.ts). */
class UnusableKeySet extends Error {
  override readonly name = 'UnusableKeySet';

  constructor(what: string) {
    super(`the key set is not usable: ${what}`, { cause: { code: what } });
  }
}

export class JwkSet {
  readonly #url: string;
  readonly #ports: Pick<Ports, 'fetch' | 'steadyMs' | 'report'>;
  #keys: ReadonlyMap<string, VerificationKey> = new Map();
  /** When the issuer was asked for these keys. */
  #sinceMs = Number.NEGATIVE_INFINITY;
  #hasFailed = false;
  readonly #question: Question<'age' | 'kid'>;

  constructor(url: string, ports: Pick<Ports, 'fetch' | 'steadyMs' | 'report'>) {
    this.#url = url;
    this.#ports = ports;
    this.#question = new Question({ steadyMs: ports.steadyMs, givenUpMs: askingMs });
  }

  async find(kid: string, algorithm: Algorithm, waitUntil: WaitUntil): Promise<KeyFinding> {
    const sinceMs = this.#sinceMs;
    const ageMs = this.#ports.steadyMs() - sinceMs;
    if (ageMs >= jwksFreshMs) {
      const asked = this.#question.ask('age', jwksRetryMs, waitUntil, this.#load);
      if (ageMs >= jwksServedMs) await this.#question.answered(asked, askingMs);
      if (this.#ports.steadyMs() - this.#sinceMs >= jwksServedMs) return { kind: 'away' };
    }
    const known = this.#keys.get(nameOf(kid, algorithm));
    if (known !== undefined) return { kind: 'found', key: known };
    if (this.#sinceMs === sinceMs) {
      await this.#question.answered(this.#question.ask('kid', jwksUnknownMs, waitUntil, this.#load), askingMs);
    }
    const rotated = this.#keys.get(nameOf(kid, algorithm));
    if (rotated !== undefined) return { kind: 'found', key: rotated };
    return { kind: this.#hasFailed ? 'away' : 'unknown' };
  }

  readonly #load = async (startedAtMs: number): Promise<void> => {
    try {
      const keys = await this.#read();
      if (startedAtMs < this.#sinceMs) return;
      this.#keys = keys;
      this.#sinceMs = startedAtMs;
      this.#hasFailed = false;
    } catch (cause) {
      this.#hasFailed = true;
      this.#ports.report('issuer_away', cause);
    }
  };

  async #read(): Promise<ReadonlyMap<string, VerificationKey>> {
    const response = await this.#ports.fetch(this.#url, {
      method: 'GET',
      headers: { accept: 'application/jwk-set+json, application/json' },
      redirect: 'manual',
      signal: AbortSignal.timeout(jwksBudgetMs),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new UnusableKeySet(`status ${response.status}`);
    }
    const bytes = await readBounded(response.body, jwksBytesMax);
    if (bytes === null) throw new UnusableKeySet('too large');
    const keys = await this.#import(bytes);
    if (keys.size === 0) throw new UnusableKeySet('no key that can be used');
    return keys;
  }

  /** A key that is published as before stays the same object: what it verified stays verified. */
  async #import(bytes: Uint8Array): Promise<ReadonlyMap<string, VerificationKey>> {
    const reading = readJson(bytes);
    const set = reading.ok && isMembers(reading.value) ? reading.value['keys'] : null;
    if (!Array.isArray(set)) throw new UnusableKeySet('not of its form');
    const keys = new Map<string, VerificationKey>();
    for (const jwk of set.slice(0, jwksKeysMax)) {
      const key = isMembers(jwk) ? await importJwk(jwk) : null;
      if (key === null) continue;
      const name = nameOf(key.kid, key.algorithm);
      const before = this.#keys.get(name);
      if (!keys.has(name)) keys.set(name, before?.source === key.source ? before : key);
    }
    return keys;
  }
}

/** Keys of different kinds may share a `kid` (RFC 7517 §4.5). */
function nameOf(kid: string, algorithm: Algorithm): string {
  return `${algorithm} ${kid}`;
}

function isMembers(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
