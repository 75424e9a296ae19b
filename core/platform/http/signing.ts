/**
 * Signs as the edge does, with node:crypto: for core's own tests and for benches that speak straight to core.
 */
import { createHmac, randomBytes } from 'node:crypto';
import {
  contextHeader,
  type EdgeContext,
  formatContext,
  type SigningKey,
  signatureHeader,
  signingHead,
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
  const head = signingHead(contextText, request.method, request.target, request.idempotencyKey ?? '');
  const hmac = createHmac('sha256', key.secret).update(head);
  return {
    [contextHeader]: contextText,
    [signatureHeader]: hmac.update(request.body ?? '').digest('base64url'),
  };
}
