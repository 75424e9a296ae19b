/**
 * Wire ↔ rewards: draft, publish, withdraw, stock, read.
 *
 * - Another tenant's program or reward answers as what does not exist.
 */
import {
  limits,
  type MerchantId,
  type ProblemCode,
  type ProgramId,
  parseId,
  uuidV7,
  type rewards as wire,
} from '@local-plus/contracts';
import { auditEntry } from '../audit/index.ts';
import { idCursor, idOf, pageOf } from '../platform/cursor/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  cursorValue,
  type Handlers,
  ProblemError,
  sees,
  settled,
} from '../platform/http/index.ts';
import type { Creation } from '../platform/postgres/index.ts';
import { seenProgram } from '../program/index.ts';
import { type RewardChange, transitionOf } from './domain.ts';
import type { HandlerPorts } from './ports.ts';
import type { ChangeRow, RewardRow } from './store.ts';

type Asking = Pick<CoreRequest, 'params' | 'context'>;

export function rewardHandlers(ports: HandlerPorts): Handlers {
  return {
    'rewards.create': (request) => create(ports, request),
    'rewards.list': (request) => list(ports, request),
    'rewards.read': (request) => read(ports, request),
    'rewards.publish': (request) => changeStatus(ports, request, 'publish'),
    'rewards.withdraw': (request) => changeStatus(ports, request, 'withdraw'),
    'rewards.change_stock': (request) => changeStock(ports, request),
  };
}

async function create(ports: HandlerPorts, request: CoreRequest<'rewards.create'>): Promise<CoreAnswer> {
  const { programId, merchantId } = await seenProgram(ports.programs, request);
  const { gives, valid_from, valid_until, ...body } = request.body;
  if (gives.type === 'gift_card') await checkProgram(ports, gives.program_id, merchantId);
  const id = uuidV7<string>(ports.nowMs());
  const times = { valid_from: dateOf(valid_from), valid_until: dateOf(valid_until) };
  const row = { id, merchant_id: merchantId, program_id: programId, gives, ...body, ...times };
  const key = creationKey(request, [programId, gives, body, times]);
  const audit = auditOf(ports, request, { merchantId, id }, 'create', null, { ...body, gives, ...times });
  const created = settled(await ports.store.create(key, row, audit));
  const { stock } = row;
  // As it was created, the first time and every time: the same key has asked for the same stock.
  const draft = { status: 'draft', published_at: null, withdrawn_at: null, stock, stock_left: stock } as const;
  return createdAnswer(rewardJson({ ...created.row, ...draft }), created.replayed);
}

/** The cards of a reward are of a program of the same merchant. */
async function checkProgram(ports: HandlerPorts, id: string, merchantId: MerchantId): Promise<void> {
  const program = await ports.programs.find(id as ProgramId);
  if (program?.merchantId !== merchantId) throw new ProblemError('not_found', { detail: 'There is no such program.' });
}

async function list(ports: HandlerPorts, request: CoreRequest<'rewards.list'>): Promise<CoreAnswer> {
  const { programId } = await seenProgram(ports.programs, request);
  const { limit, cursor, status = null } = request.queryValues;
  const rows = await ports.store.page(programId, status, cursorValue(cursor, idOf<string>), limit + 1);
  return ok(pageJson(rows, limit, rewardJson));
}

async function read(ports: HandlerPorts, request: CoreRequest<'rewards.read'>): Promise<CoreAnswer> {
  return ok(rewardJson(await seenReward(ports, request)));
}

async function changeStatus(
  ports: HandlerPorts,
  request: CoreRequest<'rewards.publish' | 'rewards.withdraw'>,
  change: RewardChange,
): Promise<CoreAnswer> {
  const reward = await seenReward(ports, request);
  const { id, status, merchant_id: merchantId } = reward;
  const key = creationKey(request, [change, id]);
  const audit = auditOf(
    ports,
    request,
    { merchantId, id },
    change,
    { status },
    { status: transitionOf(change).to },
    request.body.reason,
  );
  return changed(await ports.store.changeStatus(key, id, change, audit), 'reward_status');
}

async function changeStock(ports: HandlerPorts, request: CoreRequest<'rewards.change_stock'>): Promise<CoreAnswer> {
  const reward = await seenReward(ports, request);
  const { id, merchant_id: merchantId, stock, stock_left } = reward;
  const { add } = request.body;
  const key = creationKey(request, ['stock', id, add]);
  const audit = auditOf(ports, request, { merchantId, id }, 'stock', { stock, stock_left }, { add });
  const outcome = await ports.store.changeStock(key, id, add, limits.rewardStockMax, audit);
  const hasStock = reward.status !== 'withdrawn' && stock !== null;
  return changed(outcome, hasStock ? 'out_of_stock' : 'reward_status');
}

/** Answers what it was answered first. */
function changed(outcome: Creation<ChangeRow>, conflict: ProblemCode): CoreAnswer {
  const { row, replayed } = settled(outcome, () => new ProblemError(conflict));
  return createdAnswer(row.answer, replayed, 200);
}

function auditOf(
  { nowMs }: HandlerPorts,
  { context, requestId }: Pick<CoreRequest, 'context' | 'requestId'>,
  { merchantId, id }: { readonly merchantId: MerchantId; readonly id: string },
  verb: RewardChange | 'create' | 'stock',
  before: object | null,
  after: object,
  reason?: string,
): string {
  const change = { action: `reward.${verb}`, targetType: 'reward', targetId: id, before, after };
  return auditEntry(
    { merchantId, context, requestId, ...change, ...(reason === undefined ? {} : { reason }) },
    nowMs(),
  );
}

/** The reward that the path's first segment names. Throws `not_found` for what is none of the caller's. */
export async function seenReward({ store }: HandlerPorts, { params, context }: Asking): Promise<RewardRow> {
  const id = parseId<string>(params[0] ?? '');
  const row = id === null ? null : await store.find(id);
  if (row === null || !sees(context, row.merchant_id)) throw new ProblemError('not_found');
  return row;
}

/** @param rows one more than the page has, if there are more */
export function pageJson<Row extends { readonly id: string }>(
  rows: readonly Row[],
  limit: number,
  json: (row: Row) => unknown,
): object {
  const page = pageOf(rows, limit, ({ id }) => idCursor(id));
  return { data: page.rows.map(json), next_cursor: page.nextCursor };
}

export function ok(body: unknown): CoreAnswer {
  return { status: 200, body: JSON.stringify(body) };
}

function dateOf(moment: string | null): Date | null {
  return moment === null ? null : new Date(moment);
}

function rewardJson(row: RewardRow): wire.Reward {
  const { id, program_id, name, description, gives, points, stock, stock_left, limits: bounds, tiers, status } = row;
  return {
    id,
    program_id,
    name,
    description,
    gives,
    points,
    stock,
    stock_left,
    limits: bounds,
    tiers: tiers === null ? null : [...tiers],
    valid_from: row.valid_from?.toISOString() ?? null,
    valid_until: row.valid_until?.toISOString() ?? null,
    status,
    created_at: row.created_at.toISOString(),
    published_at: row.published_at?.toISOString() ?? null,
    withdrawn_at: row.withdrawn_at?.toISOString() ?? null,
  };
}
