/** Wire ↔ members. A replay answers what was answered first, as far as it is still known: the role that was asked for. */
import { type MerchantId, type members, parseId, uuidV7 } from '@local-plus/contracts';
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
import { entryOf, seenMerchant } from './found.ts';
import { merchantLimits } from './limits.ts';
import type { MemberChange, MemberRow, MemberStore } from './members-store.ts';
import type { MerchantStore } from './store.ts';

export interface MemberPorts {
  readonly store: MerchantStore;
  readonly members: MemberStore;
  readonly nowMs: () => number;
  /** Called when what a member may do has changed, before that is answered. */
  readonly changed: (merchantId: MerchantId, subject: string) => Promise<void>;
}

export function memberHandlers(ports: MemberPorts): Handlers {
  return {
    'members.create': (request) => create(ports, request),
    'members.list': (request) => list(ports, request),
    'members.set_role': (request) => change(ports, request, { kind: 'member_role', role: request.body.role }),
    'members.remove': (request) => change(ports, request, { kind: 'member_removal' }),
  };
}

async function create(ports: MemberPorts, request: CoreRequest<'members.create'>): Promise<CoreAnswer> {
  const { id: merchant_id } = await seenMerchant(ports.store, request);
  const { subject, role } = request.body;
  const nowMs = ports.nowMs();
  const id = uuidV7(nowMs);
  const facts = { action: 'member.add', targetType: 'member', targetId: id, before: null, after: { role } };
  const outcome = await ports.members.create(
    creationKey(request, ['member', merchant_id, subject, role]),
    { id, merchant_id, subject, role },
    entryOf(request, merchant_id, facts, nowMs),
  );
  const { row, replayed } = settled(outcome, () => new ProblemError('member_exists'));
  await ports.changed(merchant_id, subject);
  return createdAnswer(memberJson({ ...row, role, removed_at: null }), replayed);
}

async function change(
  ports: MemberPorts,
  request: CoreRequest<'members.set_role' | 'members.remove'>,
  wanted: MemberChange,
): Promise<CoreAnswer> {
  const { id: merchantId } = await seenMerchant(ports.store, request);
  const id = parseId<string>(request.params[1] ?? '');
  const role = wanted.kind === 'member_removal' ? null : wanted.role;
  return attempts(merchantLimits.triesMax, request.deadlineMs, async () => {
    const before = id === null ? null : await ports.members.member(merchantId, id);
    if (before === null) throw new ProblemError('not_found');
    const key = creationKey(request, [wanted.kind, before.id, role]);
    const entry = entryOf(request, merchantId, entryOfChange(before, role), ports.nowMs());
    const outcome = await ports.members.change(key, before, wanted, entry);
    if (outcome.type === 'conflict') {
      if (before.removed_at !== null) throw new ProblemError('not_found');
      const isOwnerNeeded = role !== 'owner' && (await ports.members.isLastOwner(merchantId, before.id));
      if (isOwnerNeeded) throw new ProblemError('last_owner');
      // It was changed, or removed, between the read and the statement.
      return null;
    }
    const { replayed } = settled(outcome);
    // Again on a replay: the process that changed it may have died before it told the others.
    await ports.changed(merchantId, before.subject);
    const after = (await ports.members.member(merchantId, before.id)) ?? before;
    return createdAnswer(memberJson(role === null ? after : { ...after, role, removed_at: null }), replayed, 200);
  });
}

/** @param role the new one; null: it is removed */
function entryOfChange(before: MemberRow, role: members.Role | null) {
  return {
    action: role === null ? 'member.remove' : 'member.set_role',
    targetType: 'member',
    targetId: before.id,
    before: { role: before.role },
    after: role === null ? null : { role },
  };
}

async function list(ports: MemberPorts, request: CoreRequest<'members.list'>): Promise<CoreAnswer> {
  const { id } = await seenMerchant(ports.store, request);
  const { limit, cursor } = request.queryValues;
  const rows = await ports.members.members(id, cursorValue(cursor, idOf<string>), limit + 1);
  const page = pageOf(rows, limit, (row) => idCursor(row.id));
  return { status: 200, body: JSON.stringify({ data: page.rows.map(memberJson), next_cursor: page.nextCursor }) };
}

function memberJson(row: MemberRow): members.Member {
  const { id, merchant_id, subject, role, removed_at } = row;
  const created_at = row.created_at.toISOString();
  return { id, merchant_id, subject, role, created_at, removed_at: removed_at?.toISOString() ?? null };
}
