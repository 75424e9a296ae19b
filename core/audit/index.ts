/**
 * The audit trail: every administrative change, who made it, from where, what it was before and after. Owner of the table
 * `audit_entries`. What customers do is no administration: wallets, customers and consents come to be without an entry.
 *
 * An entry is written by the statement that makes the change: that statement takes {@link audited} as one more of its `with`
 * members, so that there is no change without its entry, and no entry without its change. What changes nothing here, and is to
 * be known all the same, has a statement of its own: {@link recordEntry}.
 */
import { type EdgeContext, type MerchantId, type RequestId, uuidV7 } from '@local-plus/contracts';
import type { Handlers } from '../platform/http/index.ts';
import { type Database, operatorId } from '../platform/postgres/index.ts';
import { auditHandlers } from './handler.ts';
import { AuditStore } from './store.ts';

export { type Reached, walk } from './chain.ts';

export interface AuditEntry {
  /** Whose trail it is; null: the operator's own. */
  readonly merchantId: MerchantId | null;
  readonly context: EdgeContext;
  readonly requestId: RequestId;
  /** What was done, as `resource.verb`: `merchant.suspend`. */
  readonly action: string;
  readonly targetType: string;
  readonly targetId: string;
  /** The members that changed; null: there was nothing, or is nothing any more. Never personal data, never a secret. */
  readonly before: object | null;
  readonly after: object | null;
  readonly reason?: string;
}

/** The JSON text that {@link audited} takes. */
export function auditEntry(entry: AuditEntry, nowMs: number): string {
  const { merchantId, context, requestId, action, targetType, targetId, before, after, reason = null } = entry;
  const actor = { subject: context.subject, merchant_id: context.merchantId, ip: context.clientIp };
  const told = {
    id: uuidV7(nowMs),
    at: new Date(nowMs).toISOString(),
    actor,
    request_id: requestId,
    action,
    target: { type: targetType, id: targetId },
    before,
    after,
    reason,
  };
  return JSON.stringify({ trail: merchantId ?? operatorId, entry: JSON.stringify(told) });
}

/**
 * One more `with` member. One entry per trail and statement.
 *
 * @param parameter the number of the statement's parameter that has {@link auditEntry}'s text
 * @param from the `with` member that has a row when the change is made: none, no entry
 */
export function audited(parameter: number, from: string): string {
  return `audited_${parameter} as (
    insert into audit_entries (trail, place, entry, hash)
    select (a->>'trail')::uuid, link.place, (a->>'entry')::json, link.hash
    from (select $${parameter}::text::jsonb as a) as audit,
      audit_link((a->>'trail')::uuid, a->>'entry') as link
    where exists (select from ${from}))`;
}

const recordStatement = `with told as (select), ${audited(1, 'told')} select`;

/** Before what it tells of is done, or shown: for a change in another database, or for what only reads. */
export async function recordEntry(database: Pick<Database, 'write'>, entry: string): Promise<void> {
  await database.write(recordStatement, [entry]);
}

export interface AuditModule {
  readonly handlers: Handlers;
}

export function createAuditModule({ database }: { readonly database: Pick<Database, 'read'> }): AuditModule {
  return { handlers: auditHandlers(new AuditStore(database)) };
}
