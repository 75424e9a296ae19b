/**
 * A client as a careful merchant would write one: it sends earns and burns by the clock, and repeats what was not
 * answered for good with the same Idempotency-Key, after the pause that was asked for. Every attempt goes to the record.
 */
import { createWriteStream, type WriteStream } from 'node:fs';
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { exchange, type HttpAnswer } from '../http-exchange.ts';
import { planWrite } from '../k6/plan.ts';
import { limits } from '../limits.ts';
import type { RecordLine } from '../reconcile/index.ts';
import type { Stack } from '../stack.ts';

const problemBody = z.object({ code: z.string(), retryable: z.boolean() });

/** One request and its answer. */
export interface Attempt {
  readonly sentMs: number;
  readonly latencyMs: number;
  /** 0: no HTTP answer at all. */
  readonly status: number;
  /** `ok`; the problem's code; or what the connection did, or what was wrong with the answer, in words. */
  readonly outcome: string;
  readonly hasRetryAfter: boolean;
  /** An answer as documented: a success, or a problem document. */
  readonly isClear: boolean;
}

export interface ClientOptions {
  readonly stack: Stack;
  readonly runName: string;
  readonly recordFile: string;
  readonly ratePerS: number;
  readonly onAttempt: (attempt: Attempt) => void;
}

export interface Client {
  /** Stops sending new writes and waits until the last retry has its answer. Returns how many writes never got one. */
  finish(): Promise<number>;
}

type Write = ReturnType<typeof planWrite> & { readonly key: string; readonly walletId: string };

export function startClient(options: ClientOptions): Client {
  const { stack, runName, recordFile, ratePerS } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: limits.faultInFlightMax });
  const record = createWriteStream(recordFile);
  const underway = new Set<Promise<void>>();
  const startedMs = performance.now();
  let sent = 0;
  let unanswered = 0;

  const launch = (): void => {
    const due = Math.floor(((performance.now() - startedMs) / 1_000) * ratePerS);
    // When everything waits, the clock goes on, but no more is sent than can wait.
    for (; sent < due; sent++) {
      if (underway.size >= limits.faultInFlightMax) continue;
      const planned = planWrite(sent, stack.wallet_ids.length);
      const walletId = stack.wallet_ids[planned.walletIndex] as string;
      const write: Write = { ...planned, walletId, key: `${runName}.${sent}` };
      const work = perform(write).then((isFinal) => {
        if (!isFinal) unanswered++;
        underway.delete(work);
      });
      underway.add(work);
    }
  };

  /** false: given up. */
  async function perform(write: Write): Promise<boolean> {
    const giveUpMs = performance.now() + limits.faultGiveUpMs;
    for (let attempt = 0; ; attempt++) {
      const pauseMs = await tryOnce(write, attempt);
      if (pauseMs === null) return true;
      if (performance.now() + pauseMs > giveUpMs) return false;
      await delay(pauseMs);
    }
  }

  /** null: it is final; else how long to wait before the next attempt. */
  async function tryOnce(write: Write, attempt: number): Promise<number | null> {
    const sentMs = performance.now();
    const answer = await send(agent, stack, write);
    const judged = judge(answer);
    const { status, retryAfterS } = answer;
    const latencyMs = performance.now() - sentMs;
    options.onAttempt({ sentMs, latencyMs, status, hasRetryAfter: retryAfterS !== null, ...judged });
    writeRecord(record, write, answer, attempt > 0);
    if (!judged.isRetryable) return null;
    const backoffMs = Math.min(limits.faultBackoffMsMin * 2 ** attempt, limits.faultBackoffMsMax);
    return retryAfterS === null ? backoffMs : Math.max(retryAfterS * 1_000, backoffMs);
  }

  const timer = setInterval(launch, limits.faultTickMs);
  return {
    async finish() {
      clearInterval(timer);
      await Promise.all(underway);
      agent.destroy();
      await new Promise<void>((resolve) => record.end(resolve));
      return unanswered;
    },
  };
}

/** What the answer means. A client repeats what is retryable, and what it did not understand. */
function judge({ status, text, contentType }: HttpAnswer): { outcome: string; isClear: boolean; isRetryable: boolean } {
  if (status === 201) return { outcome: 'ok', isClear: true, isRetryable: false };
  if (status === 0) return { outcome: text, isClear: false, isRetryable: true };
  const problem = contentType.startsWith('application/problem+json') ? parseProblem(text) : null;
  if (problem === null) return { outcome: `${status} without a problem document`, isClear: false, isRetryable: true };
  return { outcome: problem.code, isClear: true, isRetryable: problem.retryable };
}

function parseProblem(text: string): z.infer<typeof problemBody> | null {
  try {
    return problemBody.parse(JSON.parse(text));
  } catch {
    // Whatever it is, it is no problem document: the caller counts it as unclear.
    return null;
  }
}

function writeRecord(record: WriteStream, write: Write, { status, text }: HttpAnswer, replay: boolean): void {
  const { key, walletId, kind, amount } = write;
  const isFinal = status === 201 || status === 409;
  const line: RecordLine = {
    key,
    wallet_id: walletId,
    kind,
    amount,
    status,
    replay,
    answer: isFinal ? (JSON.parse(text) as unknown) : null,
  };
  record.write(`${JSON.stringify(line)}\n`);
}

function send(agent: Agent, stack: Stack, { walletId, kind, amount, key }: Write): Promise<HttpAnswer> {
  return exchange(agent, {
    url: `${stack.edge_url}/v1/wallets/${walletId}/${kind}`,
    method: 'POST',
    headers: {
      authorization: `Bearer ${stack.api_key}`,
      'content-type': 'application/json',
      'idempotency-key': key,
    },
    body: JSON.stringify({ amount }),
    timeoutMs: limits.requestMs,
  });
}
