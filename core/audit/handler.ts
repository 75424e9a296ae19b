/** Wire ↔ the audit trail. A merchant's caller reads its own; the operator reads its own, or any by name. */
import { type audit, limits } from '@local-plus/contracts';
import { pageOf, placeCursor, placeOf } from '../platform/cursor/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  callingMerchant,
  cursorValue,
  type Handlers,
  isOperator,
  ProblemError,
  sees,
} from '../platform/http/index.ts';
import { operatorId } from '../platform/postgres/index.ts';
import { type Reached, walk } from './chain.ts';
import type { AuditStore, EntryRow } from './store.ts';

/** Entries of one read of a walk. */
const PAGE_ROWS = 1_000;

export function auditHandlers(store: AuditStore): Handlers {
  return {
    'audit.list': (request) => list(store, request),
    'audit.verify': (request) => verify(store, request),
  };
}

async function list(store: AuditStore, request: CoreRequest<'audit.list'>): Promise<CoreAnswer> {
  const { limit, cursor, action = null, target_id: targetId = null, from, to } = request.queryValues;
  const trail = trailOf(request);
  const before = cursorValue(cursor, placeOf);
  const filter = { action, targetId, from: momentOf(from), to: momentOf(to) };
  const rows = await store.entries(trail, filter, before, limit + 1);
  const page = pageOf(rows, limit, ({ place }) => placeCursor(place));
  return { status: 200, body: JSON.stringify({ data: page.rows.map(entryJson), next_cursor: page.nextCursor }) };
}

async function verify(store: AuditStore, request: CoreRequest<'audit.verify'>): Promise<CoreAnswer> {
  const { after } = request.queryValues;
  const trail = trailOf(request);
  const first = after === 0 ? null : await store.entry(trail, after);
  if (after > 0 && first === null) throw new ProblemError('not_found');
  let reached: Reached = { place: after, hash: first?.hash ?? null };
  const end = after + limits.auditVerifyRowsMax;
  while (reached.place < end) {
    const rows = await store.after(trail, reached.place, PAGE_ROWS);
    const walked = walk(trail, reached, rows);
    reached = walked.reached;
    if (walked.broken !== null) return verified(reached, false, walked.broken);
    if (rows.length < PAGE_ROWS) return verified(reached, true, null);
  }
  return verified(reached, (await store.after(trail, reached.place, 1)).length === 0, null);
}

/** Throws `not_found` for another's, as for what does not exist. */
function trailOf({ context, queryValues }: CoreRequest<'audit.list' | 'audit.verify'>): string {
  const { merchant_id } = queryValues;
  if (merchant_id !== undefined) {
    if (!sees(context, merchant_id)) throw new ProblemError('not_found');
    return merchant_id;
  }
  return isOperator(context) ? operatorId : callingMerchant(context);
}

function verified({ place, hash }: Reached, is_last: boolean, broken: audit.Verification['broken']): CoreAnswer {
  const answer: audit.Verification = { verified_to: place, hash, is_last, broken };
  return { status: 200, body: JSON.stringify(answer) };
}

function momentOf(text: string | undefined): string | null {
  return text === undefined ? null : new Date(text).toISOString();
}

function entryJson({ place, entry, hash }: EntryRow): audit.Entry {
  return { ...(JSON.parse(entry) as Omit<audit.Entry, 'place' | 'hash'>), place, hash };
}
