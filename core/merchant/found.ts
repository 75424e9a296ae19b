/** What the handlers of merchants have in common: whose they are, and what became of a creation. */
import { type EdgeContext, type MerchantId, parseId } from '@local-plus/contracts';
import { type AuditEntry, auditEntry } from '../audit/index.ts';
import { type CoreRequest, ProblemError, sees } from '../platform/http/index.ts';
import type { Creation } from '../platform/postgres/index.ts';
import type { MerchantRow, MerchantStore } from './store.ts';

/** The merchant of the path's first segment, if there is one for this caller. */
export async function seenMerchant(
  store: Pick<MerchantStore, 'merchant'>,
  request: Pick<CoreRequest, 'params' | 'context'>,
): Promise<MerchantRow> {
  const id = parseId<MerchantId>(request.params[0] ?? '');
  if (id === null || !sees(request.context, id)) throw new ProblemError('not_found');
  const row = await store.merchant(id);
  if (row === null) throw new ProblemError('not_found');
  return row;
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

/** The cursor's meaning. Throws `invalid_cursor` for one that is none of ours. */
export function cursorValue<Value>(cursor: string | undefined, read: (cursor: string) => Value | null): Value | null {
  if (cursor === undefined) return null;
  const value = read(cursor);
  if (value === null) throw new ProblemError('invalid_cursor');
  return value;
}

/** Who acts, as it is shown: the subject alone, the merchant is known. */
export function actorOf(context: EdgeContext): string {
  return context.subject;
}

/** An entry of a merchant's own trail. */
export function entryOf(
  request: Pick<CoreRequest, 'context' | 'requestId'>,
  merchantId: MerchantId,
  entry: Pick<AuditEntry, 'action' | 'targetType' | 'targetId' | 'before' | 'after' | 'reason'>,
  nowMs: number,
): string {
  const { context, requestId } = request;
  return auditEntry({ merchantId, context, requestId, ...entry }, nowMs);
}
