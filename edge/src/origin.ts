/**
 * Step ②b: one signed request to core, and what became of it. Everything that reaches the origin goes through here.
 *
 * - Headers are an allow list; nothing of the caller's that is not named here goes on.
 * - Never retried: only the caller, who holds the Idempotency-Key, can do that safely.
 * - Bounded in time; redirects are answers, not instructions.
 *
 * No answer in time: `gateway_timeout`. No connection, or it broke: `unavailable`. An answer that is none (a redirect,
 * an error that is no problem document, a refused signature): `bad_gateway`.
 */
import { contextHeader, problemMediaType, requestIdHeader, signatureHeader } from '@local-plus/contracts';
import type { OriginRequest, Ports } from './ports.ts';
import { type Signable, Signer } from './signer.ts';

export interface OriginCall extends Omit<Signable, 'timeMs'> {
  readonly requestId: string;
  readonly traceparent: string;
}

export type OriginOutcome =
  | { readonly ok: true; readonly response: Response }
  | { readonly ok: false; readonly code: 'unavailable' | 'gateway_timeout' | 'bad_gateway' };

export class Origin {
  readonly #ports: Ports;
  readonly #signer: Signer;

  constructor(ports: Ports) {
    this.#ports = ports;
    this.#signer = new Signer(ports.config.signingKeys[0]);
  }

  async send(call: OriginCall): Promise<OriginOutcome> {
    const signed = await this.#signer.sign({ ...call, timeMs: this.#ports.nowMs() });
    const headers: Record<string, string> = {
      [contextHeader]: signed.context,
      [signatureHeader]: signed.signature,
      [requestIdHeader]: call.requestId,
      traceparent: call.traceparent,
    };
    if (call.idempotencyKey !== '') headers['idempotency-key'] = call.idempotencyKey;
    if (call.body !== null) headers['content-type'] = 'application/json';
    const signal = AbortSignal.timeout(call.budgetMs);
    const request: OriginRequest = { method: call.method, headers, redirect: 'manual', signal };
    try {
      const response = await this.#ports.fetch(
        this.#ports.config.originUrl + call.target,
        call.body === null ? request : { ...request, body: call.body },
      );
      return await this.#judge(response);
    } catch (cause) {
      this.#ports.report(signal.aborted ? 'origin_late' : 'origin_away', cause);
      return { ok: false, code: signal.aborted ? 'gateway_timeout' : 'unavailable' };
    }
  }

  async #judge(response: Response): Promise<OriginOutcome> {
    const { status } = response;
    if (status >= 200 && status < 300) return { ok: true, response };
    // Core authenticates nobody but the edge: its 401 speaks of us, not of the caller.
    const isProblem = status >= 400 && response.headers.get('content-type')?.startsWith(problemMediaType);
    if (isProblem && status !== 401) return { ok: true, response };
    this.#ports.report(status === 401 ? 'signature_refused' : 'origin_unusable', new Error(`status ${status}`));
    await response.body?.cancel();
    return { ok: false, code: 'bad_gateway' };
  }
}
