/** Wire ↔ a merchant's states. Which step is allowed, and to whom, the table of lifecycle.ts says. */
import { type lifecycle, type MerchantId, topics, uuidV7 } from '@local-plus/contracts';
import { newEvent } from '../outbox/index.ts';
import { pageOf, placeCursor, placeOf } from '../platform/cursor/index.ts';
import {
  attempts,
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  cursorValue,
  type Handlers,
  isOperator,
  ProblemError,
  settled,
} from '../platform/http/index.ts';
import { actorOf, entryOf, seenMerchant } from './found.ts';
import { lifecycleTable, type Step } from './lifecycle.ts';
import type { LifecycleStore, TransitionRow } from './lifecycle-store.ts';
import { merchantLimits } from './limits.ts';
import type { MerchantRow, MerchantStore } from './store.ts';

export interface LifecyclePorts {
  readonly store: MerchantStore;
  readonly transitions: LifecycleStore;
  readonly nowMs: () => number;
  /** Called when a merchant's state has changed, before that is answered. */
  readonly changed: (merchantId: MerchantId) => Promise<void>;
}

export function lifecycleHandlers(ports: LifecyclePorts): Handlers {
  return {
    'merchants.transition': (request) => move(ports, request),
    'merchants.transitions': (request) => list(ports, request),
  };
}

async function move(ports: LifecyclePorts, request: CoreRequest<'merchants.transition'>): Promise<CoreAnswer> {
  const { action, reason } = request.body;
  return attempts(merchantLimits.triesMax, request.deadlineMs, async () => {
    const merchant = await seenMerchant(ports.store, request);
    const nowMs = ports.nowMs();
    const step: Step | null = lifecycleTable[merchant.status][action] ?? null;
    if (step !== null && !step.by.includes(isOperator(request.context) ? 'operator' : 'owner')) {
      throw new ProblemError('forbidden', { detail: 'Only the operator decides on this.' });
    }
    const key = creationKey(request, ['transition', merchant.id, action, reason]);
    const wanted = step === null ? null : { ...newTransition(request, merchant, step), id: uuidV7(nowMs) };
    const entry = entryOf(request, merchant.id, entryOfStep(merchant, action, step, reason), nowMs);
    const outcome = await ports.transitions.move(key, wanted, entry, onboarded(request, merchant, nowMs));
    // Somebody else moved it meanwhile: what is possible now is decided by what it is now.
    if (outcome.type === 'conflict' && step !== null) return null;
    const { row, replayed } = settled(outcome, () => refusal(merchant, action));
    // Again on a replay: the process that moved it may have died before it told the others.
    await ports.changed(merchant.id);
    return createdAnswer(transitionJson(row), replayed);
  });
}

function newTransition({ body, context }: CoreRequest<'merchants.transition'>, merchant: MerchantRow, { to }: Step) {
  const { action, reason } = body;
  const states = { from_status: merchant.status, to_status: to };
  return { merchant_id: merchant.id, action, ...states, reason, actor: actorOf(context) };
}

function entryOfStep(merchant: MerchantRow, action: lifecycle.LifecycleAction, step: Step | null, reason: string) {
  return {
    action: `merchant.${action}`,
    targetType: 'merchant',
    targetId: merchant.id,
    before: { status: merchant.status },
    after: { status: step?.to ?? merchant.status },
    reason,
  };
}

/** A merchant begins to be one of the platform. */
export function onboarded(
  { requestId, traceparent }: Pick<CoreRequest, 'requestId' | 'traceparent'>,
  { id, name }: Pick<MerchantRow, 'id' | 'name'>,
  nowMs: number,
): string {
  return newEvent(
    {
      topic: topics.merchantOnboarded,
      aggregateType: 'merchant',
      aggregateId: id,
      type: 'merchant.onboarded',
      schemaVersion: 1,
      requestId,
      traceparent,
      data: { merchant_id: id, name },
    },
    nowMs,
  );
}

function refusal({ status }: MerchantRow, action: lifecycle.LifecycleAction): ProblemError {
  const possible = Object.keys(lifecycleTable[status]).join(', ') || 'nothing';
  return new ProblemError('transition_refused', {
    detail: `A merchant that is ${status} does not ${action}; possible: ${possible}.`,
  });
}

async function list(ports: LifecyclePorts, request: CoreRequest<'merchants.transitions'>): Promise<CoreAnswer> {
  const { id } = await seenMerchant(ports.store, request);
  const { limit, cursor } = request.queryValues;
  const before = cursorValue(cursor, placeOf);
  const rows = await ports.transitions.transitions(id, before, limit + 1);
  const page = pageOf(rows, limit, ({ place }) => placeCursor(place));
  return { status: 200, body: JSON.stringify({ data: page.rows.map(transitionJson), next_cursor: page.nextCursor }) };
}

function transitionJson(row: TransitionRow): lifecycle.Transition {
  const { id, merchant_id, place, action, from_status: from, to_status: to, reason, actor } = row;
  return { id, merchant_id, place, action, from, to, reason, actor, created_at: row.created_at.toISOString() };
}
