/**
 * Signs as the edge does (contracts/signature.ts), for the benches that speak straight to core.
 */
import { createHmac, randomBytes } from 'node:crypto';
import {
  contextHeader,
  formatContext,
  limits,
  merchants,
  type SigningKey,
  signatureHeader,
  signingHead,
} from '@local-plus/contracts';

/** On whose behalf. */
export type Caller = { readonly type: 'operator' } | { readonly type: 'merchant'; readonly merchantId: string };

export interface UnsignedRequest {
  readonly method: 'GET' | 'POST';
  /** Path and query. */
  readonly target: string;
  readonly idempotencyKey: string;
  readonly body: string;
}

export interface SignedHeaders {
  readonly context: string;
  readonly signature: string;
}

export const headerNames = { context: contextHeader, signature: signatureHeader } as const;

/** Valid for {@link limits.signatureWindowMs} around `nowMs`, once. */
export function sign(key: SigningKey, caller: Caller, request: UnsignedRequest, nowMs: number): SignedHeaders {
  const isOperator = caller.type === 'operator';
  const context = formatContext({
    keyId: key.keyId,
    timeMs: nowMs,
    nonce: randomBytes(15).toString('base64url'),
    budgetMs: limits.requestBudgetMs,
    clientIp: '127.0.0.1',
    merchantId: isOperator ? null : caller.merchantId,
    subject: isOperator ? 'operator' : 'bench',
    scopes: isOperator ? merchants.scopes : merchants.merchantScopes,
  });
  const { method, target, idempotencyKey, body } = request;
  const signed = signingHead(context, method, target, idempotencyKey) + body;
  return { context, signature: createHmac('sha256', key.secret).update(signed).digest('base64url') };
}
