/**
 * Wire ↔ customers: create, read, update, list.
 *
 * A replay answers what was answered first. Nothing of a contact is kept for that: the hash says that the request is the same
 * one, so what it set is what it says. Of who is erased nobody can tell any more.
 */
import { type CustomerId, uuidV7 } from '@local-plus/contracts';
import { idCursor, idOf, pageOf } from '../platform/cursor/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  callingMerchant,
  createdAnswer,
  cursorValue,
  type Handlers,
  ProblemError,
  requestName,
} from '../platform/http/index.ts';
import { type CustomerRow, customerJson, refusalOf, summaryJson } from './domain.ts';
import { configured, contactOf, keyOfCustomer, seenCustomer } from './seen.ts';
import type { CustomerStore, SealedRow } from './store.ts';
import { customerAudit, customerEvent } from './told.ts';
import type { Vault } from './vault.ts';

export interface HandlerPorts {
  readonly store: CustomerStore;
  /** null: no key is configured. */
  readonly vault: Vault | null;
  readonly nowMs: () => number;
}

export function customerHandlers(ports: HandlerPorts): Handlers {
  return {
    'customers.create': (request) => create(ports, request),
    'customers.list': (request) => list(ports, request),
    'customers.read': async (request) => ok(shown(ports, await seenCustomer(ports.store, request))),
    'customers.update': (request) => update(ports, request),
  };
}

export function shown({ vault }: Pick<HandlerPorts, 'vault'>, row: SealedRow) {
  return customerJson(row, contactOf(vault, row));
}

function ok(body: unknown): CoreAnswer {
  return { status: 200, body: JSON.stringify(body) };
}

async function create(ports: HandlerPorts, request: CoreRequest<'customers.create'>): Promise<CoreAnswer> {
  const { store, nowMs } = ports;
  const vault = configured(ports.vault);
  const merchant_id = callingMerchant(request.context);
  const { external_id = null, contact } = request.body;
  const createdMs = nowMs();
  const created_at = new Date(createdMs);
  const id = uuidV7<CustomerId>(createdMs);
  const { key, row: wrappedKey } = vault.newKey(id);
  const asked = [external_id, contact];
  const row: CustomerRow = {
    ...{ id, merchant_id, external_id, status: 'active', root_id: id, version: 1, merges: 0 },
    ...{ created_at, updated_at: created_at },
  };
  const name = requestName(request);
  const wanted = { ...row, requestHash: key.requestHash(asked) };
  const event = customerEvent(request, 'created', row, createdMs);
  const created = await store.create(name, wanted, { ...wrappedKey, sealed: key.seal(contact) }, event);
  if (created !== null) return createdAnswer(customerJson(created, contact), false);
  const earlier = await store.created(name);
  if (earlier === null) throw new ProblemError('external_id_taken');
  checkHash(vault, earlier, earlier.request_hash, asked);
  // As it was created, the first time and every time.
  const first = { ...row, id: earlier.id, root_id: earlier.id, created_at: earlier.created_at };
  return createdAnswer(customerJson({ ...first, updated_at: earlier.created_at }, contact), true);
}

async function update(ports: HandlerPorts, request: CoreRequest<'customers.update'>): Promise<CoreAnswer> {
  const { store, nowMs } = ports;
  const vault = configured(ports.vault);
  const before = await seenCustomer(store, request);
  const { expected_version, external_id, contact } = request.body;
  const asked = [before.id, expected_version, external_id, contact];
  const name = requestName(request);
  const key = keyOfCustomer(vault, before);
  const changedMs = nowMs();
  const at = new Date(changedMs);
  const wanted = { ...before, external_id, version: expected_version + 1, updated_at: at };
  let changed: Awaited<ReturnType<CustomerStore['update']>> = 'none';
  if (refusalOf(before.status, 'update') === null && before.version === expected_version && key !== null) {
    const told = {
      event: customerEvent(request, 'updated', wanted, changedMs),
      audit: customerAudit(request, 'update', before, wanted, changedMs),
    };
    const change = { id: before.id, version: expected_version, external_id, sealed: key.seal(contact), at };
    changed = await store.update(name, key.requestHash(asked), change, told);
  }
  if (typeof changed !== 'string') return ok(customerJson(changed, contact));
  const earlier = await store.earlier(name);
  if (earlier !== null) {
    if (earlier.kind !== 'update' || earlier.customer_id !== before.id)
      throw new ProblemError('idempotency_key_reused');
    checkHash(vault, await seenCustomer(store, request), earlier.request_hash, asked);
    const first = { ...wanted, status: 'active', root_id: before.id, updated_at: earlier.changed_at } as const;
    return createdAnswer(customerJson(first, contact), true, 200);
  }
  if (changed === 'external_id_taken') throw new ProblemError('external_id_taken');
  const { status } = await seenCustomer(store, request);
  throw new ProblemError(refusalOf(status, 'update') ?? 'version_conflict');
}

/** Throws unless what is asked is what was asked then. */
function checkHash(vault: Vault, row: SealedRow, hash: string | null, asked: readonly unknown[]): void {
  const key = keyOfCustomer(vault, row);
  if (key === null || hash === null) throw new ProblemError('customer_erased');
  if (key.requestHash(asked) !== hash) throw new ProblemError('idempotency_key_reused');
}

async function list({ store }: HandlerPorts, request: CoreRequest<'customers.list'>): Promise<CoreAnswer> {
  const merchantId = callingMerchant(request.context);
  const { limit, cursor, external_id } = request.queryValues;
  const after = cursorValue(cursor, idOf<CustomerId>);
  const found =
    external_id === undefined
      ? await store.page(merchantId, after, limit + 1)
      : await store.byExternalId(merchantId, external_id);
  const { rows, nextCursor } = pageOf(found, limit, ({ id }) => idCursor(id));
  return ok({ data: rows.map(summaryJson), next_cursor: nextCursor });
}
