/**
 * The requests of one round, made and signed before it begins, so that the generator has nothing to do but send.
 *
 * All are earns, all have the same number of bytes (a generator finds request n without an index), and every side gets the
 * same bytes: who needs no signature ignores it. Each is signed for itself, a replay too.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { requestIdHeader, type SigningKey, uuidV7 } from '@local-plus/contracts';
import { type Caller, headerNames, sign } from '../../signing.ts';
import { earnsPerRequest, originalOf, type Shape } from './shape.ts';

export interface RequestPlan {
  readonly host: string;
  readonly port: number;
  readonly signingKey: SigningKey;
  readonly caller: Caller;
  /** Taken in turn, from the one of this number on. */
  readonly walletIds: readonly string[];
  readonly firstWallet: number;
  readonly count: number;
  readonly shape: Shape;
  /** Begins every key; 1 to 12 characters. */
  readonly keyPrefix: string;
}

export interface RequestFile {
  readonly path: string;
  readonly requestBytes: number;
  readonly count: number;
}

/** Written in pieces of this many earns. */
const PIECE = 2_000;
/** Every request is written at its full width. */
const KEY_DIGITS = 9;

export function writeRequests(path: string, plan: RequestPlan): RequestFile {
  const file = openSync(path, 'w');
  const piece = Math.max(1, Math.floor(PIECE / earnsPerRequest(plan.shape)));
  let requestBytes = 0;
  try {
    for (let start = 0; start < plan.count; start += piece) {
      const texts: string[] = [];
      for (let n = start; n < Math.min(start + piece, plan.count); n++) texts.push(requestText(plan, n, Date.now()));
      requestBytes = texts[0]?.length ?? 0;
      if (texts.some((text) => text.length !== requestBytes)) throw new Error('requests must be of one size');
      writeSync(file, texts.join(''));
    }
  } finally {
    closeSync(file);
  }
  return { path, requestBytes, count: plan.count };
}

/** Request number `n`, signed now. */
export function requestText(plan: RequestPlan, n: number, nowMs: number): string {
  const { target, idempotencyKey, mediaType, body } =
    plan.shape.type === 'bulk' ? bulkParts(plan, n) : earnParts(plan, n);
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
    ...(idempotencyKey === '' ? [] : [`idempotency-key: ${idempotencyKey}`]),
    `content-type: ${mediaType}`,
    `content-length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
}

interface Parts {
  readonly target: string;
  readonly idempotencyKey: string;
  readonly mediaType: string;
  readonly body: string;
}

function earnParts(plan: RequestPlan, n: number): Parts {
  const { walletId, amount, idempotencyKey } = earn(plan, originalOf(plan.shape, n));
  const target = `/v1/wallets/${walletId}/earn`;
  return { target, idempotencyKey, mediaType: 'application/json', body: `{"amount":${amount}}` };
}

function bulkParts(plan: RequestPlan, n: number): Parts {
  const count = earnsPerRequest(plan.shape);
  const lines = Array.from({ length: count }, (_, line) => {
    const { walletId, amount, idempotencyKey } = earn(plan, n * count + line);
    return `{"wallet_id":"${walletId}","kind":"earn","amount":${amount},"idempotency_key":"${idempotencyKey}"}\n`;
  });
  return {
    target: '/v1/transactions/bulk',
    idempotencyKey: '',
    mediaType: 'application/x-ndjson',
    body: lines.join(''),
  };
}

/** Every wallet in turn, every key once, every amount of three digits. */
function earn(
  { walletIds, firstWallet, keyPrefix }: RequestPlan,
  n: number,
): { walletId: string; amount: number; idempotencyKey: string } {
  return {
    walletId: walletIds[(firstWallet + n) % walletIds.length] as string,
    amount: 100 + (n % 900),
    idempotencyKey: `${keyPrefix}.${String(n).padStart(KEY_DIGITS, '0')}`,
  };
}
