/**
 * A client as a careful merchant would write one: it repeats what was not answered for good with the same Idempotency-Key,
 * a bounded number of times, after a jittered pause or the one that was asked for. Every attempt is in the history.
 */
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { exchange, type HttpAnswer } from '../../http-exchange.ts';
import type { Attempt, Call, History, Outcome, Purpose, Wish } from '../history.ts';
import { limits } from '../limits.ts';
import { requestOf } from './requests.ts';

const problemBody = z.object({ code: z.string(), retryable: z.boolean() });

export interface CallerOptions {
  readonly edgeUrl: string;
  readonly apiKey: string;
  readonly history: History;
}

interface Judged {
  readonly code: string | null;
  /** null: not known yet. */
  readonly outcome: Exclude<Outcome, 'unknown'> | null;
  readonly answer: unknown;
}

export class Caller {
  readonly #options: CallerOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: limits.inFlightMax });

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  get headers(): Readonly<Record<string, string>> {
    return { authorization: `Bearer ${this.#options.apiKey}`, 'content-type': 'application/json' };
  }

  /** Never rejects; the history has it when it resolves. */
  async call(wish: Wish, purpose: Purpose, attemptsMax: number = limits.attemptsMax): Promise<Call> {
    const attempts: Attempt[] = [];
    let judged: Judged = { code: null, outcome: null, answer: null };
    while (judged.outcome === null && attempts.length < attemptsMax) {
      const sentMs = performance.now();
      const answer = await this.#send(wish);
      judged = judge(answer);
      const { status, isReplayed, retryAfterS } = answer;
      attempts.push({ sentMs, endedMs: performance.now(), status, code: judged.code, isReplayed });
      if (judged.outcome === null && attempts.length < attemptsMax) await delay(pauseMs(attempts.length, retryAfterS));
    }
    return this.record({ ...wish, purpose, attempts, outcome: judged.outcome ?? 'unknown', answer: judged.answer });
  }

  record(call: Call): Call {
    this.#options.history.add(call);
    return call;
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(wish: Wish): Promise<HttpAnswer> {
    const { method, path, body } = requestOf(wish);
    return exchange(this.#agent, {
      url: this.#options.edgeUrl + path,
      method,
      headers: wish.key === '' ? this.headers : { ...this.headers, 'idempotency-key': wish.key },
      body: body === null ? null : JSON.stringify(body),
      timeoutMs: limits.attemptMs,
    });
  }
}

function judge({ status, text, contentType }: HttpAnswer): Judged {
  if (status === 0) return { code: text, outcome: null, answer: null };
  const body = parsed(text);
  if (status < 300) {
    // A success that ends in the middle is none: the connection broke.
    return body === undefined
      ? { code: 'not JSON', outcome: null, answer: null }
      : { code: null, outcome: 'ok', answer: body };
  }
  const problem = contentType.startsWith('application/problem+json') ? problemBody.safeParse(body) : null;
  if (!problem?.success) return { code: 'no problem document', outcome: null, answer: null };
  const { code, retryable } = problem.data;
  if (retryable) return { code, outcome: null, answer: null };
  return { code, outcome: status === 409 ? 'refused' : 'rejected', answer: body };
}

/** undefined: it is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Half of it is chance, so that clients do not come back together. */
function pauseMs(attempts: number, retryAfterS: number | null): number {
  const backoffMs = Math.min(limits.backoffMsMin * 2 ** (attempts - 1), limits.backoffMsMax);
  const askedMs = Math.min((retryAfterS ?? 0) * 1_000, limits.retryAfterMsMax);
  return Math.max(askedMs, backoffMs / 2) + Math.random() * backoffMs;
}
