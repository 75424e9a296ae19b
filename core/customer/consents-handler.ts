/**
 * Wire ↔ consents. One that is recorded for somebody who was merged is of who it is now; its history is that of both.
 *
 * What holds is what was said last, by its `at`: so an old consent that is brought in later does not undo a newer withdrawal.
 * Of what is said now the database says when: by the clocks of two processes a withdrawal could come before what it withdraws.
 */
import { type CustomerId, type customers, uuidV7 } from '@local-plus/contracts';
import { idCursor, idOf, pageOf } from '../platform/cursor/index.ts';
import {
  attempts,
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  cursorValue,
  type Handlers,
  ProblemError,
  settled,
} from '../platform/http/index.ts';
import type { ConsentRow, ConsentStore } from './consents-store.ts';
import { customerLimits } from './limits.ts';
import { seenCustomer } from './seen.ts';
import type { CustomerStore } from './store.ts';

export interface ConsentPorts {
  readonly store: CustomerStore;
  readonly consents: ConsentStore;
  readonly nowMs: () => number;
}

export function consentHandlers(ports: ConsentPorts): Handlers {
  return {
    'consents.record': (request) => record(ports, request),
    'consents.list': (request) => list(ports, request),
  };
}

async function record(ports: ConsentPorts, request: CoreRequest<'consents.record'>): Promise<CoreAnswer> {
  const { store, consents } = ports;
  const { purpose, status, source, at } = request.body;
  const key = creationKey(request, ['consent', request.params[0], purpose, status, source, at ?? null]);
  const row = { id: uuidV7(ports.nowMs()), purpose, status, source, at: at === undefined ? null : new Date(at) };
  return attempts(customerLimits.triesMax, request.deadlineMs, async () => {
    const { root_id } = await seenCustomer(store, request);
    const outcome = await consents.record(key, { ...row, customer_id: root_id });
    if (outcome.type !== 'conflict') {
      const { row: recorded, replayed } = settled(outcome);
      return createdAnswer(consentJson(recorded), replayed);
    }
    const root = await store.customer(root_id);
    if (root?.status === 'erased') throw new ProblemError('customer_erased');
    if (root?.status === 'active') throw new ProblemError('customer_limit_exceeded');
    // It was merged into another one meanwhile.
    return null;
  });
}

async function list(ports: ConsentPorts, request: CoreRequest<'consents.list'>): Promise<CoreAnswer> {
  const { limit, cursor, purpose = null } = request.queryValues;
  const after = cursorValue(cursor, idOf<string>);
  const { root_id } = await seenCustomer(ports.store, request);
  const page = await consentPage(ports.consents, root_id, { limit, after, purpose });
  if (after !== null && page.data.length === 0 && !(await ports.consents.isOf(root_id, after))) {
    throw new ProblemError('invalid_cursor');
  }
  return { status: 200, body: JSON.stringify(page) };
}

export async function consentPage(
  consents: ConsentStore,
  root: CustomerId,
  { limit, after, purpose }: { readonly limit: number; readonly after: string | null; readonly purpose: string | null },
): Promise<{ data: customers.Consent[]; next_cursor: string | null }> {
  const found = await consents.page(root, purpose, after, limit + 1);
  const { rows, nextCursor } = pageOf(found, limit, ({ id }) => idCursor(id));
  return { data: rows.map(consentJson), next_cursor: nextCursor };
}

function consentJson({ id, customer_id, purpose, status, source, at, recorded_at }: ConsentRow): customers.Consent {
  const times = { at: at.toISOString(), recorded_at: recorded_at.toISOString() };
  return { id, customer_id, purpose, status, source, ...times };
}
