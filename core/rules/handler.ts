/**
 * Wire ↔ versions of earn rules: draft, add, publish, read.
 *
 * - A replay answers what was answered first, whatever the version has become since.
 * - Another tenant's program, and a version of another program, answer as what does not exist.
 */
import { limits, type MerchantId, parseId, uuidV7, type rules as wire } from '@local-plus/contracts';
import { auditEntry } from '../audit/index.ts';
import {
  attempts,
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  type Handlers,
  keyOf,
  ProblemError,
  settled,
} from '../platform/http/index.ts';
import { requestHash } from '../platform/postgres/index.ts';
import { type ProgramOwner, type Programs, seenProgram } from '../program/index.ts';
import { cursorOf, placeOf, versionCursor, versionOf } from './cursor.ts';
import type { RulesDirectory } from './directory.ts';
import { hasWindowCap } from './domain.ts';
import { rulesLimits } from './limits.ts';
import type { RulesStore, VersionRow } from './store.ts';

export interface HandlerPorts {
  readonly store: RulesStore;
  readonly directory: RulesDirectory;
  readonly programs: Programs<ProgramOwner>;
  readonly nowMs: () => number;
}

export function rulesHandlers(ports: HandlerPorts): Handlers {
  return {
    'rules.create': (request) => create(ports, request),
    'rules.add': (request) => add(ports, request),
    'rules.publish': (request) => publish(ports, request),
    'rules.list': (request) => list(ports, request),
    'rules.current': (request) => readCurrent(ports, request),
    'rules.read': (request) => read(ports, request),
  };
}

async function create(ports: HandlerPorts, request: CoreRequest<'rules.create'>): Promise<CoreAnswer> {
  const { programId } = await seenProgram(ports.programs, request);
  const { name = null, time_zone, caps, rules } = request.body;
  if (rules.filter(hasWindowCap).length > rulesLimits.cappedRulesMax) throw new ProblemError('rules_limit_exceeded');
  const key = creationKey(request, [programId, name, time_zone, caps, rules]);
  return attempts(rulesLimits.numberTriesMax, request.deadlineMs, async () => {
    const id = uuidV7(ports.nowMs());
    const wanted = { id, program_id: programId, name, time_zone, caps, rules };
    const outcome = await ports.store.create(key, wanted);
    if (outcome.type !== 'conflict') {
      const { row, replayed } = settled(outcome);
      return createdAnswer(draftJson(row, rules.length), replayed);
    }
    const [newest] = await ports.store.versions(programId, limits.rulesVersionsMax, 1);
    if (newest?.version === limits.rulesVersionsMax) throw new ProblemError('rules_limit_exceeded');
    return null;
  });
}

async function add(ports: HandlerPorts, request: CoreRequest<'rules.add'>): Promise<CoreAnswer> {
  const version = await seenVersion(ports, request);
  const { rules } = request.body;
  const key = { idempotencyKey: keyOf(request), requestHash: requestHash([rules]) };
  const added = await ports.store.add(version.id, key, rules);
  if (typeof added !== 'string') return createdAnswer(draftJson(added, added.rules_count), false);
  const earlier = await ports.store.addition(version.id, key.idempotencyKey);
  if (earlier !== null) {
    if (earlier.request_hash !== key.requestHash) throw new ProblemError('idempotency_key_reused');
    return createdAnswer(draftJson(version, earlier.rules_count), true);
  }
  if (added === 'taken') throw new ProblemError('rule_id_taken');
  const { status } = await seenVersion(ports, request);
  throw new ProblemError(status === 'published' ? 'rules_published' : 'rules_limit_exceeded');
}

async function publish(ports: HandlerPorts, request: CoreRequest<'rules.publish'>): Promise<CoreAnswer> {
  const { merchantId } = await seenProgram(ports.programs, request);
  const version = await seenVersion(ports, request);
  const nowMs = ports.nowMs();
  const effectiveMs = request.body.effective_from === undefined ? null : Date.parse(request.body.effective_from);
  const key = { idempotencyKey: keyOf(request), requestHash: requestHash([version.id, effectiveMs]) };
  const isPassed = effectiveMs !== null && effectiveMs < nowMs;
  const from = new Date(effectiveMs ?? nowMs);
  const audit = auditOf(request, version, merchantId, from, nowMs);
  const published = isPassed ? null : await ports.store.publish(version.id, key, from, new Date(nowMs), audit);
  ports.directory.changed(version.program_id);
  if (published !== null) return createdAnswer(versionJson(published), false, 200);
  const found = await seenVersion(ports, request);
  if (found.status === 'draft') throw new ProblemError('effective_from_passed');
  if (found.publication_key !== key.idempotencyKey) throw new ProblemError('rules_published');
  if (found.publication_hash !== key.requestHash) throw new ProblemError('idempotency_key_reused');
  return createdAnswer(versionJson(found), true, 200);
}

function auditOf(
  { context, requestId }: Pick<CoreRequest, 'context' | 'requestId'>,
  { program_id, id, version, status, rules_count }: VersionRow,
  merchantId: MerchantId,
  from: Date,
  nowMs: number,
): string {
  const after = { rules_id: id, version, rules_count, status: 'published', effective_from: from.toISOString() };
  const change = { action: 'program.rules', targetType: 'program', targetId: program_id, before: { status }, after };
  return auditEntry({ context, requestId, merchantId, ...change }, nowMs);
}

async function list(ports: HandlerPorts, request: CoreRequest<'rules.list'>): Promise<CoreAnswer> {
  const { programId } = await seenProgram(ports.programs, request);
  const { limit, cursor } = request.queryValues;
  const from = cursor === undefined ? limits.rulesVersionsMax : versionOf(cursor);
  if (from === null) throw new ProblemError('invalid_cursor');
  const rows = await ports.store.versions(programId, from, limit + 1);
  const next = rows[limit];
  const data = rows.slice(0, limit).map(versionJson);
  return ok({ data, next_cursor: next === undefined ? null : versionCursor(next.version) });
}

async function readCurrent(ports: HandlerPorts, request: CoreRequest<'rules.current'>): Promise<CoreAnswer> {
  const { programId } = await seenProgram(ports.programs, request);
  const version = await ports.directory.version(programId, ports.nowMs());
  if (version === null) throw new ProblemError('no_rules_in_force');
  return rulesPage(ports, version, request.queryValues);
}

async function read(ports: HandlerPorts, request: CoreRequest<'rules.read'>): Promise<CoreAnswer> {
  return rulesPage(ports, await seenVersion(ports, request), request.queryValues);
}

/** A cursor belongs to its version: what comes into force meanwhile does not continue the pages of what was before. */
async function rulesPage(
  { store }: HandlerPorts,
  version: VersionRow,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
): Promise<CoreAnswer> {
  const place = cursor === undefined ? 0 : placeOf(cursor, version.id);
  if (place === null) throw new ProblemError('invalid_cursor');
  const found = await store.rules(version.id, place, limit + 1);
  const page: wire.RulesPage = {
    ...versionJson(version),
    rules: found.slice(0, limit),
    next_cursor: found.length > limit ? cursorOf(version.id, place + limit) : null,
  };
  return ok(page);
}

function ok(body: unknown): CoreAnswer {
  return { status: 200, body: JSON.stringify(body) };
}

async function seenVersion(ports: HandlerPorts, request: Pick<CoreRequest, 'params' | 'context'>): Promise<VersionRow> {
  const { programId } = await seenProgram(ports.programs, request);
  const id = parseId<string>(request.params[1] ?? '');
  const version = id === null ? null : await ports.store.version(programId, id);
  if (version === null) throw new ProblemError('not_found');
  return version;
}

/** As it was answered while it was a draft with so many rules. */
function draftJson(row: VersionRow, rulesCount: number): wire.RulesVersion {
  const draft = { status: 'draft', effective_from: null, published_at: null } as const;
  return versionJson({ ...row, ...draft, rules_count: rulesCount });
}

function versionJson(row: VersionRow): wire.RulesVersion {
  const { id, program_id, version, name, status, time_zone, caps, rules_count } = row;
  return {
    id,
    program_id,
    version,
    name,
    status,
    effective_from: row.effective_from?.toISOString() ?? null,
    time_zone,
    caps,
    rules_count,
    created_at: row.created_at.toISOString(),
    published_at: row.published_at?.toISOString() ?? null,
  };
}
