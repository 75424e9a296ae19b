/**
 * Signs as the edge does, with node:crypto: for core's own tests and for benches that speak straight to core.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import {
  contextHeader,
  type EdgeContext,
  formatContext,
  type SigningKey,
  signatureHeader,
  signingInput,
} from '@local-plus/contracts';

export interface Unsigned {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly idempotencyKey?: string | undefined;
  readonly body?: string | Uint8Array | undefined;
  /** Who calls; nobody by default. Time, nonce and budget are made up unless they are given. */
  readonly context?: Partial<EdgeContext> | undefined;
}

/** The two headers. */
export function signHeaders(key: SigningKey, request: Unsigned): Record<string, string> {
  const contextText = formatContext({
    keyId: key.keyId,
    timeMs: Date.now(),
    nonce: randomBytes(16).toString('base64url'),
    budgetMs: 10_000,
    clientIp: '127.0.0.1',
    merchantId: null,
    subject: 'public',
    scopes: [],
    ...request.context,
  });
  const bodySha256 = createHash('sha256')
    .update(request.body ?? '')
    .digest('hex');
  const input = signingInput(contextText, request.method, request.target, request.idempotencyKey ?? '', bodySha256);
  return {
    [contextHeader]: contextText,
    [signatureHeader]: createHmac('sha256', key.secret).update(input).digest('base64url'),
  };
}
