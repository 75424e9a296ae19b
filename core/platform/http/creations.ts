/**
 * How the creation of a resource is named, and how its outcome goes out: the first time and every time after.
 */
import type { IdempotencyKey } from '@local-plus/contracts';
import { type Creation, type CreationKey, operatorId, requestHash } from '../postgres/index.ts';
import { type CoreAnswer, type CoreRequest, ProblemError, replayedHeaders } from './handler.ts';

/** The key of a route that needs one: the platform has seen to it. */
export function keyOf(request: Pick<CoreRequest, 'idempotencyKey'>): IdempotencyKey {
  if (request.idempotencyKey === null) throw new ProblemError('idempotency_key_missing');
  return request.idempotencyKey;
}

/** Whose request it is, and its key. */
export function requestName(
  request: Pick<CoreRequest, 'context' | 'idempotencyKey'>,
): Omit<CreationKey, 'requestHash'> {
  return { creator: request.context.merchantId ?? operatorId, idempotencyKey: keyOf(request) };
}

/** @param parts what the request asks, in a fixed order: another value is another request */
export function creationKey(request: CoreRequest, parts: readonly unknown[]): CreationKey {
  return { ...requestName(request), requestHash: requestHash(parts) };
}

/** @param conflict what another row in the way means; absent: that cannot be */
export function settled<Row>(
  outcome: Creation<Row>,
  conflict?: () => ProblemError,
): { readonly row: Row; readonly replayed: boolean } {
  if (outcome.type === 'key_reused') throw new ProblemError('idempotency_key_reused');
  if (outcome.type === 'conflict') throw conflict?.() ?? new Error('a new id or key was taken already');
  return { row: outcome.row, replayed: outcome.type === 'replayed' };
}

export function createdAnswer(resource: unknown, replayed: boolean, status = 201): CoreAnswer {
  const body = JSON.stringify(resource);
  return replayed ? { status, body, headers: replayedHeaders } : { status, body };
}
