/** What the handlers of merchants have in common: whose they are, and who acts. */
import { type EdgeContext, type MerchantId, parseId } from '@local-plus/contracts';
import { type AuditEntry, auditEntry } from '../audit/index.ts';
import { type CoreRequest, ProblemError, sees } from '../platform/http/index.ts';
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
