/** Wire ↔ members. A replay answers what was answered first, as far as it is still known: the role that was asked for. */
import { type MerchantId, type members, parseId, uuidV7 } from '@local-plus/contracts';
import { idCursor, idOf, pageOf } from '../platform/cursor/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  type Handlers,
  ProblemError,
} from '../platform/http/index.ts';
import { cursorValue, entryOf, seenMerchant, settled } from './found.ts';
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
  const before = id === null ? null : await ports.members.member(merchantId, id);
  if (before === null) throw new ProblemError('not_found');
  const isRemoval = wanted.kind === 'member_removal';
  const facts = {
    action: isRemoval ? 'member.remove' : 'member.set_role',
    targetType: 'member',
    targetId: before.id,
    before: { role: before.role },
    after: isRemoval ? null : { role: wanted.role },
  };
  const key = creationKey(request, [wanted.kind, before.id, isRemoval ? null : wanted.role]);
  const outcome = await ports.members.change(key, before, wanted, entryOf(request, merchantId, facts, ports.nowMs()));
  // Who was removed before is no member; of an owner who is one, it was the last.
  const refusal = () => new ProblemError(before.removed_at === null ? 'last_owner' : 'not_found');
  const { replayed } = settled(outcome, refusal);
  // Again on a replay: the process that changed it may have died before it told the others.
  await ports.changed(merchantId, before.subject);
  const after = (await ports.members.member(merchantId, before.id)) ?? before;
  return createdAnswer(
    memberJson(isRemoval ? after : { ...after, role: wanted.role, removed_at: null }),
    replayed,
    200,
  );
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
