/**
 * How the creation of a resource is named, and how its outcome goes out: the first time and every time after.
 */
import type { IdempotencyKey } from '@local-plus/contracts';
import { type CreationKey, operatorId, requestHash } from '../postgres/index.ts';
import { type CoreAnswer, type CoreRequest, ProblemError, replayedHeaders } from './handler.ts';

/** The key of a route that needs one: the platform has seen to it. */
export function keyOf(request: Pick<CoreRequest, 'idempotencyKey'>): IdempotencyKey {
  if (request.idempotencyKey === null) throw new ProblemError('idempotency_key_missing');
  return request.idempotencyKey;
}

/** @param parts what the request asks, in a fixed order: another value is another request */
export function creationKey(request: CoreRequest, parts: readonly unknown[]): CreationKey {
  return {
    creator: request.context.merchantId ?? operatorId,
    idempotencyKey: keyOf(request),
    requestHash: requestHash(parts),
  };
}

export function createdAnswer(resource: unknown, replayed: boolean, status = 201): CoreAnswer {
  const body = JSON.stringify(resource);
  return replayed ? { status, body, headers: replayedHeaders } : { status, body };
}
