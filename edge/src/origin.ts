/**
 * Step ②b: one signed request to core, and what became of it. Everything that reaches the origin goes through here.
 *
 * - Headers are an allow list; nothing of the caller's that is not named here goes on.
 * - A GET or HEAD whose connection failed before the answer began is sent once more, signed anew, while there is time. A
 *   POST never is: only the caller, who holds the Idempotency-Key, can do that safely.
 * - Bounded in time, the answer's last byte included; redirects are answers, not instructions.
 * - While the origin is away nobody waits for it: circuit.ts.
 *
 * No answer in time: `gateway_timeout`. No connection, or it broke: `unavailable`. An answer that is none (a redirect,
 * an error that is no problem document, a refused signature): `bad_gateway`.
 */
import { contextHeader, problemMediaType, requestIdHeader, signatureHeader } from '@local-plus/contracts';
import { Circuit } from './circuit.ts';
import { edgeLimits } from './limits.ts';
import type { OriginRequest, Ports } from './ports.ts';
import { type Signable, type Signed, Signer } from './signer.ts';

export interface OriginCall extends Signable {
  /** Of the body. */
  readonly mediaType: string;
  /** How much longer than the budget the answer may be under way, once the origin has begun it. */
  readonly answerGraceMs: number;
  readonly requestId: string;
  readonly traceparent: string;
}

export type OriginOutcome =
  | { readonly ok: true; readonly response: Response }
  | {
      readonly ok: false;
      readonly code: 'unavailable' | 'gateway_timeout' | 'bad_gateway';
      /** When the circuit may be closed again. */
      readonly retryAfterS?: number;
    };

/** `broken`: there was no connection, or it ended before the answer began. */
type Attempt = { readonly outcome: OriginOutcome; readonly isBroken: boolean };

export class Origin {
  readonly #ports: Ports;
  readonly #signer: Signer;
  readonly #circuit: Circuit;

  constructor(ports: Ports) {
    this.#ports = ports;
    this.#signer = new Signer(ports.config.signingKeys[0]);
    this.#circuit = new Circuit(edgeLimits.circuit, ports.steadyMs, ports.random);
  }

  async send(call: OriginCall): Promise<OriginOutcome> {
    const startedAtMs = this.#ports.steadyMs();
    const first = await this.#attempt(call);
    const isSafe = call.method === 'GET' || call.method === 'HEAD';
    if (!first.isBroken || !isSafe) return first.outcome;
    const budgetMs = call.budgetMs - (this.#ports.steadyMs() - startedAtMs);
    if (budgetMs < edgeLimits.retryBudgetMsMin) return first.outcome;
    return (await this.#attempt({ ...call, budgetMs })).outcome;
  }

  async #attempt(call: OriginCall): Promise<Attempt> {
    const request = requestOf(call, await this.#signer.sign(call, this.#ports.nowMs()));
    const admission = this.#circuit.admit();
    if (!admission.passes) {
      this.#ports.report('circuit_open', new Error(`for ${Math.ceil(admission.waitMs)} ms`));
      const retryAfterS = Math.ceil(admission.waitMs / 1_000);
      return { outcome: { ok: false, code: 'unavailable', retryAfterS }, isBroken: false };
    }
    try {
      const response = await this.#ports.fetch(this.#ports.config.originUrl + call.target, request);
      this.#circuit.settle(admission.pass, isGateways(response) ? 'failure' : 'success');
      if (this.#isAnswer(response)) return { outcome: { ok: true, response }, isBroken: false };
      await response.body?.cancel();
      return { outcome: { ok: false, code: 'bad_gateway' }, isBroken: false };
    } catch (cause) {
      const isLate = request.signal.aborted;
      this.#circuit.settle(admission.pass, 'failure');
      this.#ports.report(isLate ? 'origin_late' : 'origin_away', cause);
      return { outcome: { ok: false, code: isLate ? 'gateway_timeout' : 'unavailable' }, isBroken: !isLate };
    }
  }

  /** Reports what is none. */
  #isAnswer(response: Response): boolean {
    const { status } = response;
    if (status >= 200 && status < 300) return true;
    // Core authenticates nobody but the edge: its 401 speaks of us, not of the caller.
    if (status >= 400 && isProblem(response) && status !== 401) return true;
    this.#ports.report(status === 401 ? 'signature_refused' : 'origin_unusable', new Error(`status ${status}`));
    return false;
  }
}

function requestOf(call: OriginCall, { context, signature }: Signed): OriginRequest {
  const headers: Record<string, string> = {
    [contextHeader]: context,
    [signatureHeader]: signature,
    [requestIdHeader]: call.requestId,
    traceparent: call.traceparent,
  };
  if (call.idempotencyKey !== '') headers['idempotency-key'] = call.idempotencyKey;
  if (call.body !== null) headers['content-type'] = call.mediaType;
  const signal = AbortSignal.timeout(call.budgetMs + call.answerGraceMs);
  const request: OriginRequest = { method: call.method, headers, redirect: 'manual', signal };
  return call.body === null ? request : { ...request, body: call.body };
}

function isProblem(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith(problemMediaType) ?? false;
}

/** Not core's, but of something on the way to it that could not reach it. */
function isGateways(response: Response): boolean {
  return response.status >= 500 && !isProblem(response);
}
