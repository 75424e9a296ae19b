/**
 * Wire ↔ jobs: ask for one, see how far it is, stop it, fetch its codes, confirm them.
 *
 * - J1 a job is created only if its cards could be issued: of a program of the caller's, with a key that is one. That is asked
 *   only of a request that is new: an item that is withdrawn later changes no outcome.
 * - J2 the file is given as often as it is asked for, until somebody who has counted its lines confirms it, or its time is over.
 */
import {
  bodyRules,
  type CatalogItemId,
  type GiftcardBatchId,
  type giftcardBatches,
  type MerchantId,
  type ProgramId,
  parseId,
  uuidV7,
  limits as wire,
} from '@local-plus/contracts';
import { auditEntry } from '../../audit/index.ts';
import { idCursor, idOf, pageOf } from '../../platform/cursor/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  callingMerchant,
  createdAnswer,
  creationKey,
  cursorValue,
  type Handlers,
  keyOf,
  ProblemError,
  type StreamedAnswer,
  sees,
  settled,
} from '../../platform/http/index.ts';
import { BatchFile } from './file.ts';
import { JweRecipient } from './jwe.ts';
import type { BatchLimits } from './limits.ts';
import type { CatalogItems, Programs } from './ports.ts';
import type { BatchRow, BatchStore, NewBatch } from './store.ts';
import { batchJson, endedEvent, newBatchJson } from './wire.ts';

export interface HandlerPorts {
  readonly store: BatchStore;
  readonly programs: Programs;
  readonly catalog: CatalogItems;
  /** Whether core has a key for codes. */
  readonly hasCodes: boolean;
  readonly nowMs: () => number;
  readonly limits: BatchLimits;
}

const DAY_MS = 86_400_000;
/** The last time zone in which a day ends is twelve hours behind UTC. */
const LAST_ZONE_MS = 43_200_000;

export function batchHandlers(ports: HandlerPorts): Handlers {
  return {
    'giftcard_batches.create': (request) => create(ports, request),
    'giftcard_batches.list': (request) => list(ports, request),
    'giftcard_batches.read': async (request) => ({
      status: 200,
      body: JSON.stringify(batchJson(await seenBatch(ports, request))),
    }),
    'giftcard_batches.cancel': (request) => cancel(ports, request),
    'giftcard_batches.file': (request) => readFile(ports, request),
    'giftcard_batches.confirm_file': (request) => confirmFile(ports, request),
  };
}

async function create(ports: HandlerPorts, request: CoreRequest<'giftcard_batches.create'>): Promise<CoreAnswer> {
  const row = newBatch(ports, request);
  const key = creationKey(request, askedOf(row));
  const earlier = await ports.store.ofKey(key);
  if (earlier !== null) {
    if (earlier.request_hash !== key.requestHash) throw new ProblemError('idempotency_key_reused');
    return createdAnswer(newBatchJson(earlier), true);
  }
  await check(ports, request.body, row.merchant_id);
  const { program_id, catalog_item_id, cards_count: count, amount, expires_on, has_pin: pin, activate } = row;
  const after = { program_id, catalog_item_id, count, amount, expires_on, pin, activate };
  const entry = audit(ports, request, row.merchant_id, { action: 'create', id: row.id, before: null, after });
  const outcome = await ports.store.create(key, row, entry);
  const created = settled(outcome, () => new ProblemError('giftcard_batches_limit_exceeded'));
  return createdAnswer(newBatchJson(created.row), created.replayed);
}

function newBatch(ports: HandlerPorts, request: CoreRequest<'giftcard_batches.create'>): NewBatch {
  const { count, amount, expires_on = null, pin, activate, public_key } = request.body;
  return {
    id: uuidV7<GiftcardBatchId>(ports.nowMs()),
    merchant_id: callingMerchant(request.context),
    program_id: request.body.program_id as ProgramId,
    catalog_item_id: (request.body.catalog_item_id ?? null) as CatalogItemId | null,
    cards_count: count,
    amount,
    expires_on,
    has_pin: pin,
    activate,
    public_key,
    request_id: request.requestId,
    traceparent: request.traceparent,
  };
}

function askedOf({ program_id, catalog_item_id, cards_count, ...row }: NewBatch): readonly unknown[] {
  const { amount, expires_on, has_pin, activate, public_key } = row;
  const { x, y, kid = null } = public_key;
  return [program_id, catalog_item_id, cards_count, amount, expires_on, has_pin, activate, x, y, kid];
}

/** J1. */
async function check(
  ports: HandlerPorts,
  { program_id, catalog_item_id, amount, expires_on, public_key }: giftcardBatches.CreateBatch,
  merchantId: MerchantId,
): Promise<void> {
  if (!ports.hasCodes) throw new ProblemError('giftcard_codes_not_configured');
  if (JweRecipient.of(public_key) === null) {
    throw invalid('/public_key', 'It is not a point of the curve P-256.');
  }
  if (expires_on !== undefined && Date.parse(expires_on) + DAY_MS + LAST_ZONE_MS <= ports.nowMs()) {
    throw new ProblemError('expires_on_passed');
  }
  const program = await ports.programs.find(program_id as ProgramId);
  if (program?.merchantId !== merchantId) throw new ProblemError('not_found');
  if (catalog_item_id === undefined) return;
  const card = { merchantId, amount, unit: program.unit };
  const isOffered = await ports.catalog.offers(catalog_item_id as CatalogItemId, card);
  if (!isOffered) throw new ProblemError(isOffered === null ? 'not_found' : 'giftcard_not_offered');
}

function invalid(pointer: string, detail: string): ProblemError {
  return new ProblemError('invalid_request', { errors: [{ pointer, code: 'custom', detail }] });
}

async function list({ store }: HandlerPorts, request: CoreRequest<'giftcard_batches.list'>): Promise<CoreAnswer> {
  const merchantId = callingMerchant(request.context);
  const { limit, cursor } = request.queryValues;
  const before = cursorValue(cursor, idOf<GiftcardBatchId>);
  const rows = await store.batches(merchantId, before, limit + 1);
  const found = pageOf(rows, limit, ({ id }) => idCursor(id));
  const page: giftcardBatches.BatchPage = { data: found.rows.map(batchJson), next_cursor: found.nextCursor };
  return { status: 200, body: JSON.stringify(page) };
}

async function cancel(ports: HandlerPorts, request: CoreRequest<'giftcard_batches.cancel'>): Promise<CoreAnswer> {
  const row = await seenBatch(ports, request);
  const key = keyOf(request);
  const { id, merchant_id, status, issued } = row;
  const before = { status, issued };
  const entry = audit(ports, request, merchant_id, { action: 'cancel', id, before, after: { status: 'cancelled' } });
  const event = endedEvent(row, 'cancel', ports.nowMs());
  const cancelled = await ports.store.cancel(id, merchant_id, key, entry, event);
  if (cancelled !== null) return createdAnswer(batchJson(cancelled), false, 200);
  const found = await seenBatch(ports, request);
  if (found.cancellation_key === key) return createdAnswer(batchJson(found), true, 200);
  throw new ProblemError('giftcard_batch_ended');
}

/** J2. */
async function readFile(ports: HandlerPorts, request: CoreRequest<'giftcard_batches.file'>): Promise<StreamedAnswer> {
  const { id, file } = await seenBatch(ports, request);
  refuseFile(file);
  const { store, limits } = ports;
  return {
    mediaType: bodyRules.ndjson.mediaType,
    source: await BatchFile.open(store, id, request.queryValues.from, limits.chunksReadAtOnce),
    endsMs: request.deadlineMs + wire.bulkAnswerGraceMs,
  };
}

async function confirmFile(
  ports: HandlerPorts,
  request: CoreRequest<'giftcard_batches.confirm_file'>,
): Promise<CoreAnswer> {
  const row = await seenBatch(ports, request);
  const key = keyOf(request);
  const { lines } = request.body;
  if (row.confirmation_key === key) {
    if (row.confirmation_lines !== lines) throw new ProblemError('idempotency_key_reused');
    return createdAnswer(batchJson(row), true, 200);
  }
  refuseFile(row.file);
  if (lines !== row.issued) {
    throw invalid('/lines', `The file has ${row.issued} lines: fetch it again, and go on behind the last one.`);
  }
  const { id, merchant_id, file } = row;
  const after = { file: 'delivered', lines };
  const entry = audit(ports, request, merchant_id, { action: 'confirm_file', id, before: { file }, after });
  const confirmed = await ports.store.confirm(id, merchant_id, key, lines, entry);
  if (confirmed === null) {
    // Somebody was faster: possibly this very request.
    const found = await seenBatch(ports, request);
    if (found.confirmation_key === key) return createdAnswer(batchJson(found), true, 200);
    throw new ProblemError('giftcard_codes_delivered');
  }
  return createdAnswer(batchJson(confirmed), false, 200);
}

function refuseFile(file: giftcardBatches.FileStatus): void {
  if (file === 'pending') throw new ProblemError('giftcard_batch_running');
  if (file === 'none') throw new ProblemError('not_found', { detail: 'No card was issued.' });
  if (file !== 'ready') throw new ProblemError('giftcard_codes_delivered');
}

async function seenBatch(ports: HandlerPorts, request: Pick<CoreRequest, 'params' | 'context'>): Promise<BatchRow> {
  const id = parseId<GiftcardBatchId>(request.params[0] ?? '');
  const row = id === null ? null : await ports.store.batch(id);
  if (row === null || !sees(request.context, row.merchant_id)) throw new ProblemError('not_found');
  return row;
}

interface Audited {
  readonly action: string;
  readonly id: GiftcardBatchId;
  readonly before: object | null;
  readonly after: object;
}

function audit(ports: HandlerPorts, request: CoreRequest, merchantId: MerchantId, change: Audited): string {
  const { action, id, before, after } = change;
  const { context, requestId } = request;
  const target = { action: `giftcard_batch.${action}`, targetType: 'giftcard_batch', targetId: id };
  return auditEntry({ merchantId, context, requestId, ...target, before, after }, ports.nowMs());
}
