/**
 * Whether a request came through the edge, unchanged, now, and for the first time (contracts/signature.ts).
 *
 * - V1 the signature is checked before the nonce is remembered: nobody can use up the nonces of others.
 * - V2 the comparison takes the same time wherever the difference stands.
 *
 * Must not know: routes, bodies, sockets.
 */
import { type EdgeContext, parseContext, type SigningKey, signingHead } from '@local-plus/contracts';
import { HmacSha256 } from './hmac.ts';
import { type ReplayBounds, ReplayGuard } from './replays.ts';

const SIGNATURE_CHARS = 43;

/** Why a request is not believed; for the log and the metrics only, the caller learns none of it. */
export type Disbelief = 'unsigned' | 'malformed' | 'unknown_key' | 'outside_window' | 'forged' | 'replayed' | 'full';

export class SignatureVerifier {
  readonly #keys: ReadonlyMap<string, HmacSha256>;
  readonly #windowMs: number;
  readonly #replays: ReplayGuard;

  constructor(keys: readonly SigningKey[], bounds: ReplayBounds) {
    this.#keys = new Map(keys.map((key) => [key.keyId, new HmacSha256(key.secret)]));
    this.#windowMs = bounds.windowMs;
    this.#replays = new ReplayGuard(bounds);
  }

  get noncesHeld(): number {
    return this.#replays.size;
  }

  verify(
    contextText: string,
    signature: string,
    method: string,
    target: string,
    idempotencyKey: string,
    body: Uint8Array,
    nowMs: number,
  ): EdgeContext | Disbelief {
    if (contextText === '' || signature === '') return 'unsigned';
    if (signature.length !== SIGNATURE_CHARS) return 'malformed';
    const context = parseContext(contextText);
    if (context === null) return 'malformed';
    const key = this.#keys.get(context.keyId);
    if (key === undefined) return 'unknown_key';
    if (Math.abs(nowMs - context.timeMs) > this.#windowMs) return 'outside_window';
    if (!key.verifies(signingHead(contextText, method, target, idempotencyKey), body, signature)) return 'forged';
    const admission = this.#replays.admit(context.nonce, context.timeMs, nowMs);
    return admission === 'fresh' ? context : admission;
  }
}
