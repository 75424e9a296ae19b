/**
 * Wire ↔ merchants, API keys, programs.
 *
 * - A replay answers what was answered first: as created, even if the row has changed since; never the key's secret.
 */
import { randomBytes } from 'node:crypto';
import { type ApiKeyId, type MerchantId, type merchants, type ProgramId, parseId, uuidV7 } from '@local-plus/contracts';
import {
  type CoreAnswer,
  type CoreRequest,
  callingMerchant,
  createdAnswer,
  creationKey,
  type Handlers,
  keyOf,
  ProblemError,
  sees,
} from '../platform/http/index.ts';
import type { Creation } from '../platform/postgres/index.ts';
import { grantedScopes, newApiKey, noPlan } from './domain.ts';
import { columnsOf, hashedRules, wireRulesOf } from './rules.ts';
import type { ApiKeyRow, MerchantChange, MerchantRow, MerchantStore, ProgramRow } from './store.ts';

export interface HandlerPorts {
  readonly store: MerchantStore;
  readonly nowMs: () => number;
  /** Called when a key was revoked, before its revocation is answered. */
  readonly revoked: (digestHex: string) => Promise<void>;
  /** Called when a merchant's plan or origins have changed, before that is answered. */
  readonly changed: (merchantId: MerchantId) => Promise<void>;
}

const KEY_BYTES = 32;

export function merchantHandlers(ports: HandlerPorts): Handlers {
  return {
    'merchants.create': (request) => createMerchant(ports, request),
    'merchants.read': (request) => readMerchant(ports, request),
    'merchants.set_plan': (request) => setPlan(ports, request),
    'merchants.set_allowed_origins': (request) => setAllowedOrigins(ports, request),
    'api_keys.create': (request) => createApiKey(ports, request),
    'api_keys.revoke': (request) => revokeApiKey(ports, request),
    'programs.create': (request) => createProgram(ports, request),
    'programs.read': (request) => readProgram(ports, request),
  };
}

async function createMerchant(ports: HandlerPorts, request: CoreRequest<'merchants.create'>): Promise<CoreAnswer> {
  const { name } = request.body;
  const id = uuidV7<MerchantId>(ports.nowMs());
  const outcome = await ports.store.createMerchant(creationKey(request, [name]), { id, name });
  const { row, replayed } = settled(outcome);
  return createdAnswer(merchantJson({ ...row, ...noPlan, status: 'active', allowed_origins: [] }), replayed);
}

async function readMerchant(ports: HandlerPorts, request: CoreRequest<'merchants.read'>): Promise<CoreAnswer> {
  const row = await seenMerchant(ports, request);
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
  const { id } = await seenMerchant(ports, request);
  const key = creationKey(request, [id, wanted.kind, wanted.value]);
  const { replayed } = settled(await ports.store.change(key, id, wanted));
  // Again on a replay: the process that changed it may have died before it told the others.
  await ports.changed(id);
  return createdAnswer(answer, replayed, 200);
}

async function createApiKey(ports: HandlerPorts, request: CoreRequest<'api_keys.create'>): Promise<CoreAnswer> {
  const { id: merchant_id } = await seenMerchant(ports, request);
  const { name, requests_per_minute, burst, requests_per_month } = request.body;
  const scopes = grantedScopes(request.body.scopes);
  const { secret, prefix, digest } = newApiKey(randomBytes(KEY_BYTES));
  const id = uuidV7<ApiKeyId>(ports.nowMs());
  // Nothing more where nothing more is asked: keys from before there was more still name the same request.
  const more = burst === null && requests_per_month === null ? [] : [burst, requests_per_month];
  const key = creationKey(request, [merchant_id, name, scopes, requests_per_minute, ...more]);
  const row = { id, merchant_id, name, prefix, digest, scopes, requests_per_minute, burst, requests_per_month };
  const created = settled(await ports.store.createApiKey(key, row));
  const answer: merchants.CreatedApiKey = {
    ...apiKeyJson({ ...created.row, revoked_at: null }),
    key: created.replayed ? null : secret,
  };
  return createdAnswer(answer, created.replayed);
}

async function revokeApiKey(ports: HandlerPorts, request: CoreRequest<'api_keys.revoke'>): Promise<CoreAnswer> {
  const { id: merchantId } = await seenMerchant(ports, request);
  const id = parseId<ApiKeyId>(request.params[1] ?? '');
  if (id === null) throw new ProblemError('not_found');
  const idempotencyKey = keyOf(request);
  const before = await ports.store.apiKey(id, merchantId);
  const row = before?.revoked_at ? before : await ports.store.revokeApiKey(id, merchantId, idempotencyKey);
  if (row === null) throw new ProblemError('not_found');
  // Again on a replay: the process that revoked it may have died before it told the others.
  await ports.revoked(row.digest);
  const replayed = before?.revocation_key === idempotencyKey;
  return createdAnswer(apiKeyJson(row), replayed, 200);
}

async function createProgram(ports: HandlerPorts, request: CoreRequest<'programs.create'>): Promise<CoreAnswer> {
  const merchant_id = callingMerchant(request.context);
  const { name, unit, scale } = request.body;
  const id = uuidV7<ProgramId>(ports.nowMs());
  const rules = columnsOf(request.body);
  const key = creationKey(request, [name, unit, scale, ...hashedRules(rules)]);
  const wanted = { id, merchant_id, name, unit, scale, ...rules };
  const { row, replayed } = settled(await ports.store.createProgram(key, wanted));
  return createdAnswer(programJson(row), replayed);
}

async function readProgram(ports: HandlerPorts, request: CoreRequest<'programs.read'>): Promise<CoreAnswer> {
  const id = parseId<ProgramId>(request.params[0] ?? '');
  const row = id === null ? null : await ports.store.program(id);
  if (row === null || !sees(request.context, row.merchant_id)) throw new ProblemError('not_found');
  return { status: 200, body: JSON.stringify(programJson(row)) };
}

/** The merchant of the path's first segment, if there is one for this caller. */
async function seenMerchant(
  ports: HandlerPorts,
  request: Pick<CoreRequest, 'params' | 'context'>,
): Promise<MerchantRow> {
  const id = parseId<MerchantId>(request.params[0] ?? '');
  if (id === null || !sees(request.context, id)) throw new ProblemError('not_found');
  const row = await ports.store.merchant(id);
  if (row === null) throw new ProblemError('not_found');
  return row;
}

function settled<Row>(outcome: Creation<Row>): { readonly row: Row; readonly replayed: boolean } {
  if (outcome.type === 'key_reused') throw new ProblemError('idempotency_key_reused');
  if (outcome.type === 'conflict') throw new Error('a new id or key was taken already');
  return { row: outcome.row, replayed: outcome.type === 'replayed' };
}

function merchantJson(row: MerchantRow): merchants.Merchant {
  const { id, name, status, requests_per_minute, burst, requests_per_month, allowed_origins } = row;
  const plan = { requests_per_minute, burst, requests_per_month };
  return { id, name, status, plan, allowed_origins, created_at: row.created_at.toISOString() };
}

function apiKeyJson(row: ApiKeyRow): merchants.ApiKey {
  const { id, merchant_id, name, prefix, scopes, requests_per_minute, burst, requests_per_month } = row;
  const revoked_at = row.revoked_at?.toISOString() ?? null;
  const created_at = row.created_at.toISOString();
  const plan = { requests_per_minute, burst, requests_per_month };
  return { id, merchant_id, name, prefix, scopes, ...plan, created_at, revoked_at };
}

function programJson(row: ProgramRow): merchants.Program {
  const { id, merchant_id, name, unit, scale } = row;
  return { id, merchant_id, name, unit, scale, ...wireRulesOf(row), created_at: row.created_at.toISOString() };
}
