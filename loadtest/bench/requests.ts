/**
 * The requests of one round, made and signed before it begins, so that the generator has nothing to do but send.
 *
 * All are earns with their own key, all have the same number of bytes (a generator finds request n without an index),
 * and every side gets the same bytes: who needs no signature ignores it.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { requestIdHeader, type SigningKey, uuidV7 } from '@local-plus/contracts';
import { type Caller, headerNames, sign } from '../signing.ts';

export interface RequestPlan {
  readonly host: string;
  readonly port: number;
  readonly signingKey: SigningKey;
  readonly caller: Caller;
  /** Taken in turn. */
  readonly walletIds: readonly string[];
  readonly count: number;
  /** Begins every key; 1 to 12 characters. */
  readonly keyPrefix: string;
}

export interface RequestFile {
  readonly path: string;
  readonly requestBytes: number;
  readonly count: number;
}

/** Written in pieces of this many requests. */
const PIECE = 2_000;
/** Every request is written at its full width. */
const KEY_DIGITS = 9;

export function writeRequests(path: string, plan: RequestPlan): RequestFile {
  const file = openSync(path, 'w');
  let requestBytes = 0;
  try {
    for (let start = 0; start < plan.count; start += PIECE) {
      const texts: string[] = [];
      for (let n = start; n < Math.min(start + PIECE, plan.count); n++) texts.push(requestText(plan, n, Date.now()));
      requestBytes = texts[0]?.length ?? 0;
      if (texts.some((text) => text.length !== requestBytes)) throw new Error('requests must be of one size');
      writeSync(file, texts.join(''));
    }
  } finally {
    closeSync(file);
  }
  return { path, requestBytes, count: plan.count };
}

function requestText(plan: RequestPlan, n: number, nowMs: number): string {
  const walletId = plan.walletIds[n % plan.walletIds.length] as string;
  const target = `/v1/wallets/${walletId}/earn`;
  const idempotencyKey = `${plan.keyPrefix}.${String(n).padStart(KEY_DIGITS, '0')}`;
  const body = `{"amount":${100 + (n % 900)}}`;
  const { context, signature } = sign(
    plan.signingKey,
    plan.caller,
    { method: 'POST', target, idempotencyKey, body },
    nowMs,
  );
  // What differs between requests stands near the middle: LuaJIT tells long strings apart by a few of their bytes.
  return [
    `POST ${target} HTTP/1.1`,
    `host: ${plan.host}:${plan.port}`,
    `${headerNames.context}: ${context}`,
    `${headerNames.signature}: ${signature}`,
    `${requestIdHeader}: ${uuidV7(nowMs)}`,
    `idempotency-key: ${idempotencyKey}`,
    'content-type: application/json',
    `content-length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
}
