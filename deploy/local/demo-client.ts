/**
 * A client of the public API, as careful as one that moves value has to be: every POST has an Idempotency-Key, and
 * what may be repeated is repeated with the same key (RFC 9110 §9.2.2 makes that safe for GET, the key for POST).
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { z } from 'zod';
import { messageOf, StartError } from './errors.ts';
import { limits } from './limits.ts';

export interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** API key or admin token; none for public resources. */
  readonly token?: string;
  readonly idempotencyKey?: string;
  readonly body?: unknown;
}

export interface Answer {
  readonly status: number;
  readonly replayed: boolean;
  readonly body: unknown;
  /** From the call to the last byte of the last attempt. */
  readonly tookMs: number;
  readonly answeredAtMs: number;
}

export interface DemoClient {
  /** Any answer that repeating would not change. A {@link StartError} when there is none within the bounds. */
  call(call: Call): Promise<Answer>;
  /** Like `call`, and the answer must have this status; returns its parsed body. */
  expect<Schema extends z.ZodType>(
    call: Call,
    status: number,
    schema: Schema,
  ): Promise<Answer & { readonly parsed: z.infer<Schema> }>;
}

export function createDemoClient(edgeUrl: string, signal: AbortSignal): DemoClient {
  async function attempt(call: Call): Promise<{ answer: Answer; retryAfterMs: number }> {
    const startedMs = performance.now();
    const response = await fetch(edgeUrl + call.path, {
      method: call.method,
      headers: {
        ...(call.token === undefined ? {} : { authorization: `Bearer ${call.token}` }),
        ...(call.idempotencyKey === undefined ? {} : { 'idempotency-key': call.idempotencyKey }),
        ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(limits.demoRequestMs)]),
    });
    const text = await response.text();
    const answeredAtMs = performance.now();
    const replayed = response.headers.get('idempotent-replayed') === 'true';
    const body = parseJson(text);
    const answer = { status: response.status, replayed, body, tookMs: answeredAtMs - startedMs, answeredAtMs };
    return { answer, retryAfterMs: Number(response.headers.get('retry-after') ?? 0) * 1_000 };
  }

  async function call(call: Call): Promise<Answer> {
    let trouble = '';
    for (let attempts = 1; attempts <= limits.demoAttemptsMax; attempts++) {
      let waitMs = Math.min(100 * 2 ** attempts, 3_000);
      try {
        const { answer, retryAfterMs } = await attempt(call);
        if (answer.status !== 429 && answer.status < 500) return answer;
        trouble = `${answer.status} ${JSON.stringify(answer.body)}`;
        waitMs = Math.max(waitMs, Math.min(retryAfterMs, limits.demoRequestMs));
      } catch (error) {
        signal.throwIfAborted();
        trouble = messageOf(error);
      }
      await delay(waitMs, undefined, { signal });
    }
    throw new StartError(
      `${call.method} ${call.path} got no answer in ${limits.demoAttemptsMax} attempts: ${trouble}.`,
    );
  }

  return {
    call,
    async expect(request, status, schema) {
      const answer = await call(request);
      const parsed = schema.safeParse(answer.body);
      if (answer.status === status && parsed.success) return { ...answer, parsed: parsed.data };
      const got = `${answer.status} ${JSON.stringify(answer.body)}`;
      throw new StartError(`${request.method} ${request.path} should have answered ${status}, and answered ${got}.`);
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: the text itself is the best that can be shown.
    return text.slice(0, 500);
  }
}
