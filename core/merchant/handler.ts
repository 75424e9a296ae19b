/**
 * Wire ↔ merchants. A replay answers what was answered first: as created, even if the row has changed since.
 */
import { type MerchantId, type merchants, uuidV7 } from '@local-plus/contracts';
import {
  attempts,
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  type Handlers,
  settled,
} from '../platform/http/index.ts';
import { noPlan } from './domain.ts';
import { entryOf, seenMerchant } from './found.ts';
import { onboarded } from './lifecycle-handler.ts';
import { merchantLimits } from './limits.ts';
import type { MerchantChange, MerchantRow, MerchantStore } from './store.ts';

export interface HandlerPorts {
  readonly store: MerchantStore;
  readonly nowMs: () => number;
  /** Called when a merchant's plan or origins have changed, before that is answered. */
  readonly changed: (merchantId: MerchantId) => Promise<void>;
}

export function merchantHandlers(ports: HandlerPorts): Handlers {
  return {
    'merchants.create': (request) => createMerchant(ports, request),
    'merchants.read': (request) => readMerchant(ports, request),
    'merchants.set_plan': (request) => setPlan(ports, request),
    'merchants.set_allowed_origins': (request) => setAllowedOrigins(ports, request),
  };
}

async function createMerchant(ports: HandlerPorts, request: CoreRequest<'merchants.create'>): Promise<CoreAnswer> {
  const { name, status } = request.body;
  const nowMs = ports.nowMs();
  const id = uuidV7<MerchantId>(nowMs);
  const facts = {
    action: 'merchant.create',
    targetType: 'merchant',
    targetId: id,
    before: null,
    after: { name, status },
  };
  // Nothing more where nothing more is asked: merchants from before there was more still name the same request.
  const key = creationKey(request, status === 'active' ? [name] : [name, status]);
  const entry = entryOf(request, id, facts, nowMs);
  const event = onboarded(request, { id, name }, nowMs);
  const { row, replayed } = settled(await ports.store.createMerchant(key, { id, name, status }, entry, event));
  return createdAnswer(merchantJson({ ...row, ...noPlan, status, allowed_origins: [] }), replayed);
}

async function readMerchant(ports: HandlerPorts, request: CoreRequest<'merchants.read'>): Promise<CoreAnswer> {
  const row = await seenMerchant(ports.store, request);
  return { status: 200, body: JSON.stringify(merchantJson(row)) };
}

async function setPlan(ports: HandlerPorts, request: CoreRequest<'merchants.set_plan'>): Promise<CoreAnswer> {
  const { requests_per_minute, burst, requests_per_month } = request.body;
  const plan = { requests_per_minute, burst, requests_per_month };
  return change(ports, request, { kind: 'plan', value: plan }, plan);
}

async function setAllowedOrigins(
  ports: HandlerPorts,
  request: CoreRequest<'merchants.set_allowed_origins'>,
): Promise<CoreAnswer> {
  const allowed_origins = [...new Set(request.body.allowed_origins)].sort();
  return change(ports, request, { kind: 'allowed_origins', value: allowed_origins }, { allowed_origins });
}

/** Answers what the request sets, which is what it answered first. */
async function change(
  ports: HandlerPorts,
  request: CoreRequest<'merchants.set_plan' | 'merchants.set_allowed_origins'>,
  wanted: MerchantChange,
  answer: merchants.MerchantPlan | merchants.AllowedOrigins,
): Promise<CoreAnswer> {
  return attempts(merchantLimits.triesMax, request.deadlineMs, async () => {
    const before = await seenMerchant(ports.store, request);
    const { id } = before;
    const key = creationKey(request, [id, wanted.kind, wanted.value]);
    const facts = { action: `merchant.set_${wanted.kind}`, targetType: 'merchant', targetId: id };
    const changed = { before: wanted.kind === 'plan' ? planOf(before) : originsOf(before), after: answer };
    const entry = entryOf(request, id, { ...facts, ...changed }, ports.nowMs());
    const outcome = await ports.store.change(key, before, wanted, entry);
    if (outcome.type === 'conflict') return null;
    const { replayed } = settled(outcome);
    // Again on a replay: the process that changed it may have died before it told the others.
    await ports.changed(id);
    return createdAnswer(answer, replayed, 200);
  });
}

function merchantJson(row: MerchantRow): merchants.Merchant {
  const { id, name, status } = row;
  return { id, name, status, plan: planOf(row), ...originsOf(row), created_at: row.created_at.toISOString() };
}

function planOf({ requests_per_minute, burst, requests_per_month }: MerchantRow): merchants.MerchantPlan {
  return { requests_per_minute, burst, requests_per_month };
}

function originsOf({ allowed_origins }: MerchantRow): merchants.AllowedOrigins {
  return { allowed_origins };
}
