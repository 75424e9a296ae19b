/**
 * Wire ↔ the end of customers: merged into another one, or erased.
 *
 * - L1 each is one statement: there is nothing between before and after that a killed process could leave behind. Wallets,
 *   cards and consents stay where they are; whose they are is asked of who the customer is now (`customer_root`).
 * - L2 neither is undone. Contact details are not mixed by a merge; an erasure is of everybody who was merged.
 */
import type { CustomerId } from '@local-plus/contracts';
import {
  attempts,
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  type Handlers,
  ProblemError,
  requestName,
} from '../platform/http/index.ts';
import { requestHash } from '../platform/postgres/index.ts';
import { customerJson, refusalOf } from './domain.ts';
import { customerLimits } from './limits.ts';
import { seenCustomer } from './seen.ts';
import type { CustomerStore, RequestName } from './store.ts';
import { customerAudit, customerEvent } from './told.ts';

export interface LifecyclePorts {
  readonly store: CustomerStore;
  readonly nowMs: () => number;
}

export function lifecycleHandlers(ports: LifecyclePorts): Handlers {
  return {
    'customers.merge': (request) => merge(ports, request),
    'customers.erase': (request) => erase(ports, request),
  };
}

async function merge(ports: LifecyclePorts, request: CoreRequest<'customers.merge'>): Promise<CoreAnswer> {
  const { store, nowMs } = ports;
  const name = requestName(request);
  const merged_customer_id = request.body.customer_id as CustomerId;
  return attempts(customerLimits.triesMax, request.deadlineMs, async () => {
    const stays = await seenCustomer(store, request);
    const gone = await seenCustomer(store, request, merged_customer_id);
    // The operator sees the customers of all merchants, and they stay apart.
    if (gone.merchant_id !== stays.merchant_id) throw new ProblemError('not_found');
    const hash = requestHash(['merge', stays.id, gone.id]);
    const answer = { customer_id: stays.id, merged_customer_id: gone.id };
    const earlier = await earlierChange(store, name, 'merge', stays.id, hash);
    if (earlier !== null) return createdAnswer({ ...answer, merged_at: earlier.toISOString() }, true, 200);
    const refusal = refusalOf(stays.status, 'absorb') ?? refusalOf(gone.status, 'merge');
    if (refusal !== null) throw new ProblemError(refusal);
    if (stays.id === gone.id) throw new ProblemError('customer_merged', { detail: 'It is the same customer.' });
    const mergedMs = nowMs();
    const after = { ...gone, status: 'merged', root_id: stays.id, version: gone.version + 1 } as const;
    const told = {
      event: customerEvent(request, 'merged', after, mergedMs),
      audit: customerAudit(request, 'merge', gone, after, mergedMs),
    };
    const merged = await store.merge(name, hash, stays.id, gone, new Date(mergedMs), told);
    if (typeof merged !== 'string') {
      return createdAnswer({ ...answer, merged_at: merged.updated_at.toISOString() }, false, 200);
    }
    if (await isFull(store, stays.id, gone.id)) throw new ProblemError('customer_limit_exceeded');
    return null;
  });
}

async function erase(ports: LifecyclePorts, request: CoreRequest<'customers.erase'>): Promise<CoreAnswer> {
  const { store, nowMs } = ports;
  const name = requestName(request);
  return attempts(customerLimits.triesMax, request.deadlineMs, async () => {
    const asked = await seenCustomer(store, request);
    const family = await store.family(asked.root_id);
    const root = family.find(({ id }) => id === asked.root_id);
    // It was merged into another one between the two reads.
    if (root === undefined || root.status === 'merged') return null;
    const hash = requestHash(['erase', root.id]);
    const earlier = await earlierChange(store, name, 'erase', root.id, hash);
    if (root.status === 'erased') return createdAnswer(customerJson(root, null), earlier !== null, 200);
    const erasedMs = nowMs();
    const after = { ...root, status: 'erased', version: root.version + 1 } as const;
    const ids = family.map(({ id }) => id);
    const others = ids.filter((id) => id !== root.id);
    const told = {
      event: customerEvent(request, 'erased', after, erasedMs, others),
      audit: customerAudit(request, 'erase', root, after, erasedMs, others),
    };
    const erased = await store.erase(name, hash, root, ids, new Date(erasedMs), told);
    if (typeof erased !== 'string') return createdAnswer(customerJson(erased, null), false, 200);
    return null;
  });
}

/** When the key's change was made; null: the key is not used. Throws when it was another change. */
async function earlierChange(
  store: CustomerStore,
  name: RequestName,
  kind: 'merge' | 'erase',
  customerId: CustomerId,
  hash: string,
): Promise<Date | null> {
  const earlier = await store.earlier(name);
  if (earlier === null) return null;
  const isSame = earlier.kind === kind && earlier.customer_id === customerId && earlier.request_hash === hash;
  if (!isSame) throw new ProblemError('idempotency_key_reused');
  return earlier.changed_at;
}

/** Whether both together are more than one customer can be. */
async function isFull(store: CustomerStore, stays: CustomerId, gone: CustomerId): Promise<boolean> {
  const [one, other] = await Promise.all([store.customer(stays), store.customer(gone)]);
  return (one?.merges ?? 0) + (other?.merges ?? 0) >= customerLimits.mergesMax;
}
