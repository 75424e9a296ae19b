/**
 * What a route asks of a request beside its signature: an Idempotency-Key, a body, a query, each parsed or refused.
 * Lines are cut, not read: each is its handler's. Pure. Core never trusts the edge's validation.
 */
import {
  bulk,
  type IdempotencyKey,
  type ProblemCode,
  parseIdempotencyKey,
  readJson,
  validate,
  validateQuery,
} from '@local-plus/contracts';
import type { Endpoint } from './endpoints.ts';
import type { ProblemDetails } from './handler.ts';

export type Parsed<Value> =
  | { readonly value: Value }
  | { readonly code: ProblemCode; readonly details?: ProblemDetails };

const noValue = { value: null } as const;

export function parseKey(endpoint: Endpoint, text: string): Parsed<IdempotencyKey | null> {
  if (!endpoint.idempotent) return noValue;
  if (text === '') return { code: 'idempotency_key_missing' };
  const value = parseIdempotencyKey(text);
  return value === null ? { code: 'idempotency_key_invalid' } : { value };
}

export function parseBody(endpoint: Endpoint, bytes: Uint8Array): Parsed<unknown> {
  if (endpoint.body === null) {
    if (bytes.length === 0) return noValue;
    return { code: 'invalid_request', details: { detail: 'This request takes no body.' } };
  }
  if (endpoint.format === 'ndjson') {
    const cut = bulk.cutLines(bytes);
    return cut.ok ? { value: cut.lines } : { code: cut.code, details: cut };
  }
  const reading = readJson(bytes);
  if (!reading.ok) return { code: 'invalid_json', details: { errors: [reading.error] } };
  const validation = validate(endpoint.body, reading.value);
  return validation.ok ? validation : { code: 'invalid_request', details: { errors: validation.errors } };
}

export function parseQuery(endpoint: Endpoint, query: string): Parsed<unknown> {
  if (query === '') return { value: endpoint.emptyQuery };
  const validation = validateQuery(endpoint.query, query);
  if (!validation.ok) return { code: 'invalid_request', details: { errors: validation.errors } };
  return endpoint.query === null ? noValue : validation;
}
