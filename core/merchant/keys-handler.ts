/**
 * Wire ↔ API keys.
 *
 * - A replay answers what was answered first: as created, even if the row has changed since; never the key's secret. A key that
 *   is revoked changes no more, so revoking it answers the same again, under whatever Idempotency-Key; what else that key has
 *   done is not asked.
 * - Nobody gives a key more than it may do itself; who may make owners may do everything.
 */
import { randomBytes } from 'node:crypto';
import {
  type ApiKeyId,
  type EdgeContext,
  type MerchantId,
  type merchants,
  parseId,
  uuidV7,
} from '@local-plus/contracts';
import { idCursor, idOf, pageOf } from '../platform/cursor/index.ts';
import {
  attempts,
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  cursorValue,
  type Handlers,
  isOperator,
  keyOf,
  ProblemError,
  settled,
} from '../platform/http/index.ts';
import { grantedScopes, newApiKey } from './domain.ts';
import { entryOf, seenMerchant } from './found.ts';
import type { ApiKeyRow, KeyStore } from './keys-store.ts';
import { merchantLimits } from './limits.ts';
import type { MerchantStore } from './store.ts';

export interface KeyPorts {
  readonly store: MerchantStore;
  readonly keys: KeyStore;
  readonly nowMs: () => number;
  /** Called when what a key allows has changed, before that is answered. */
  readonly changed: (digestHex: string) => Promise<void>;
}

const KEY_BYTES = 32;

export function keyHandlers(ports: KeyPorts): Handlers {
  return {
    'api_keys.create': (request) => create(ports, request),
    'api_keys.rotate': (request) => rotate(ports, request),
    'api_keys.revoke': (request) => revoke(ports, request),
    'api_keys.list': (request) => list(ports, request),
  };
}

async function create(ports: KeyPorts, request: CoreRequest<'api_keys.create'>): Promise<CoreAnswer> {
  const { id: merchant_id } = await seenMerchant(ports.store, request);
  const { name, requests_per_minute, burst, requests_per_month } = request.body;
  const scopes = grantedScopes(request.body.scopes, request.context);
  if (scopes === null) throw tooMuch();
  const expires_at = momentOf(request.body.expires_at);
  const { secret, prefix, digest } = newApiKey(randomBytes(KEY_BYTES));
  const nowMs = ports.nowMs();
  const id = uuidV7<ApiKeyId>(nowMs);
  // Nothing more where nothing more is asked: keys from before there was more still name the same request.
  const plan = burst === null && requests_per_month === null ? [] : [burst, requests_per_month];
  const end = expires_at === null ? [] : ['expires', expires_at.getTime()];
  const key = creationKey(request, [merchant_id, name, scopes, requests_per_minute, ...plan, ...end]);
  const row = {
    id,
    merchant_id,
    name,
    prefix,
    digest,
    scopes,
    requests_per_minute,
    burst,
    requests_per_month,
    expires_at,
  };
  const after = { name, scopes, requests_per_minute, burst, requests_per_month, expires_at };
  const entry = entryOf(request, merchant_id, { ...target('create', id), before: null, after }, nowMs);
  return createdKey(settled(await ports.keys.create(key, row, entry), past), secret, expires_at);
}

async function rotate(ports: KeyPorts, request: CoreRequest<'api_keys.rotate'>): Promise<CoreAnswer> {
  const { id: merchantId } = await seenMerchant(ports.store, request);
  const { overlap_s: overlapS } = request.body;
  const expires_at = momentOf(request.body.expires_at);
  const { secret, prefix, digest } = newApiKey(randomBytes(KEY_BYTES));
  return attempts(merchantLimits.triesMax, request.deadlineMs, async () => {
    const old = await keyOfPath(ports, request, merchantId);
    if (!mayGive(request.context, old.scopes)) throw tooMuch();
    const nowMs = ports.nowMs();
    const id = uuidV7<ApiKeyId>(nowMs);
    const key = creationKey(request, ['rotate', old.id, overlapS, expires_at?.getTime() ?? null]);
    const facts = { before: { expires_at: old.expires_at }, after: { successor: id, overlap_s: overlapS, expires_at } };
    const entry = entryOf(request, merchantId, { ...target('rotate', old.id), ...facts }, nowMs);
    const outcome = await ports.keys.rotate(key, old, { id, prefix, digest, expires_at, overlapS }, entry);
    if (outcome.type === 'conflict') {
      const { is_alive, expires_at: endsAt } = await keyOfPath(ports, request, merchantId);
      if (!is_alive) throw new ProblemError('api_key_ended');
      if (expires_at !== null && endsAt?.getTime() === old.expires_at?.getTime()) throw past();
      // It was rotated between the read and the statement.
      return null;
    }
    const created = settled(outcome);
    // Again on a replay: the process that rotated it may have died before it told the others.
    await ports.changed(old.digest);
    return createdKey(created, secret, expires_at);
  });
}

async function revoke(ports: KeyPorts, request: CoreRequest<'api_keys.revoke'>): Promise<CoreAnswer> {
  const { id: merchantId } = await seenMerchant(ports.store, request);
  const before = await keyOfPath(ports, request, merchantId);
  const idempotencyKey = keyOf(request);
  const facts = { ...target('revoke', before.id), before: { revoked: false }, after: { revoked: true } };
  const entry = entryOf(request, merchantId, facts, ports.nowMs());
  const revoked =
    before.revoked_at === null ? await ports.keys.revoke(before.id, merchantId, idempotencyKey, entry) : before;
  const row = revoked ?? (await keyOfPath(ports, request, merchantId));
  // Again on a replay: the process that revoked it may have died before it told the others.
  await ports.changed(row.digest);
  const replayed = before.revocation_key === idempotencyKey;
  return createdAnswer(keyJson(row), replayed, 200);
}

async function list(ports: KeyPorts, request: CoreRequest<'api_keys.list'>): Promise<CoreAnswer> {
  const { id } = await seenMerchant(ports.store, request);
  const { limit, cursor } = request.queryValues;
  const rows = await ports.keys.keys(id, cursorValue(cursor, idOf<ApiKeyId>), limit + 1);
  const page = pageOf(rows, limit, (row) => idCursor(row.id));
  return { status: 200, body: JSON.stringify({ data: page.rows.map(keyJson), next_cursor: page.nextCursor }) };
}

/** The key of the path's second segment, revoked or not. */
async function keyOfPath(
  ports: KeyPorts,
  request: Pick<CoreRequest, 'params'>,
  merchantId: MerchantId,
): Promise<ApiKeyRow> {
  const id = parseId<ApiKeyId>(request.params[1] ?? '');
  const row = id === null ? null : await ports.keys.key(id, merchantId);
  if (row === null) throw new ProblemError('not_found');
  return row;
}

function createdKey(
  { row, replayed }: { readonly row: ApiKeyRow; readonly replayed: boolean },
  secret: string,
  expires_at: Date | null,
): CoreAnswer {
  const asCreated = { ...row, expires_at, revoked_at: null, last_used_at: null };
  const answer: merchants.CreatedApiKey = { ...keyJson(asCreated), key: replayed ? null : secret };
  return createdAnswer(answer, replayed);
}

function mayGive(context: EdgeContext, scopes: readonly merchants.Scope[]): boolean {
  return isOperator(context) || grantedScopes(scopes, context) !== null;
}

function tooMuch(): ProblemError {
  return new ProblemError('forbidden', { detail: 'A key cannot do more than who gives it.' });
}

function past(): ProblemError {
  const errors = [{ pointer: '/expires_at', code: 'past', detail: 'It is not in the future.' }];
  return new ProblemError('invalid_request', { errors });
}

function momentOf(text: string | undefined): Date | null {
  return text === undefined ? null : new Date(text);
}

function target(verb: 'create' | 'rotate' | 'revoke', id: ApiKeyId) {
  return { action: `api_key.${verb}`, targetType: 'api_key', targetId: id };
}

function keyJson(row: ApiKeyRow): merchants.ApiKey {
  const { id, merchant_id, name, prefix, scopes, requests_per_minute, burst, requests_per_month, rotated_from } = row;
  return {
    id,
    merchant_id,
    name,
    prefix,
    scopes,
    requests_per_minute,
    burst,
    requests_per_month,
    created_at: row.created_at.toISOString(),
    expires_at: row.expires_at?.toISOString() ?? null,
    last_used_at: row.last_used_at?.toISOString() ?? null,
    rotated_from,
    revoked_at: row.revoked_at?.toISOString() ?? null,
  };
}
