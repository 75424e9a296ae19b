/**
 * How the creation of a resource is named, and how its outcome goes out: the first time and every time after.
 */
import type { IdempotencyKey } from '@local-plus/contracts';
import { type CoreAnswer, type CoreRequest, ProblemError, replayedHeaders } from './handler.ts';

/** The key of a route that needs one: the platform has seen to it. */
export function keyOf(request: Pick<CoreRequest, 'idempotencyKey'>): IdempotencyKey {
  if (request.idempotencyKey === null) throw new ProblemError('idempotency_key_missing');
  return request.idempotencyKey;
}

export function createdAnswer(resource: unknown, replayed: boolean, status = 201): CoreAnswer {
  const body = JSON.stringify(resource);
  return replayed ? { status, body, headers: replayedHeaders } : { status, body };
}
