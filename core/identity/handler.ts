/**
 * Wire ↔ revocations.
 *
 * What a revocation names belongs to the issuer of the tokens: nobody here can say whether there is such a token, such a
 * customer, or such a merchant of theirs.
 */
import { limits, type revocations, uuidV7 } from '@local-plus/contracts';
import { auditEntry } from '../audit/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  type Handlers,
  ProblemError,
  settled,
} from '../platform/http/index.ts';
import type { Refusal, RevocationRow, RevocationStore } from './store.ts';

export interface HandlerPorts {
  readonly store: RevocationStore;
  readonly nowMs: () => number;
}

export function identityHandlers(ports: HandlerPorts): Handlers {
  return { 'revocations.create': (request) => createRevocation(ports, request) };
}

async function createRevocation(ports: HandlerPorts, request: CoreRequest<'revocations.create'>): Promise<CoreAnswer> {
  const { kind, value, merchant_id = null } = request.body;
  const expires_at = new Date(request.body.expires_at);
  const key = creationKey(request, [kind, value, merchant_id, expires_at.getTime()]);
  const nowMs = ports.nowMs();
  const id = uuidV7(nowMs);
  const { context, requestId } = request;
  const entry = auditEntry(
    {
      // It is the operator's doing, and may be of every merchant's customers.
      merchantId: null,
      context,
      requestId,
      action: 'revocation.create',
      targetType: 'revocation',
      targetId: id,
      before: null,
      // Not whose: what names a person stands in the revocation only.
      after: { kind, merchant_id, expires_at },
    },
    nowMs,
  );
  const outcome = await ports.store.create(key, { id, kind, value, merchant_id, expires_at }, entry);
  if (outcome.type === 'conflict') throw refused(await ports.store.refusal(expires_at));
  const { row, replayed } = settled(outcome);
  return createdAnswer(revocationJson(row), replayed);
}

function refused(refusal: Refusal): ProblemError {
  if (refusal === 'full') return new ProblemError('revocations_limit_exceeded');
  const detail =
    refusal === 'past' ? 'It is not in the future.' : `It is more than ${limits.revocationDaysMax} days ahead.`;
  return new ProblemError('invalid_request', { errors: [{ pointer: '/expires_at', code: refusal, detail }] });
}

function revocationJson(row: RevocationRow): revocations.Revocation {
  const { id, kind, value, merchant_id } = row;
  const [expires_at, created_at] = [row.expires_at.toISOString(), row.created_at.toISOString()];
  return { id, kind, value, merchant_id, expires_at, created_at };
}

/** What is revoked after a place, for the edge. */
export async function revocationPage(store: RevocationStore, after: number): Promise<revocations.ListPage> {
  const rows = await store.list(after, limits.revocationRowsMax);
  return {
    data: rows.map(({ kind, value, merchant_id, expires_at }) => {
      return { kind, value, merchant_id, expires_at_ms: expires_at.getTime() };
    }),
    next: rows.at(-1)?.place ?? after,
    is_last: rows.length < limits.revocationRowsMax,
  };
}
