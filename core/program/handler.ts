/**
 * Wire ↔ programs and their versions.
 *
 * - A replay answers what was answered first: as created.
 * - Another tenant's program answers as what does not exist.
 */
import { limits, type merchants, type ProgramId, parseId, type programs, uuidV7 } from '@local-plus/contracts';
import { auditEntry } from '../audit/index.ts';
import {
  attempts,
  type CoreAnswer,
  type CoreRequest,
  callingMerchant,
  createdAnswer,
  creationKey,
  type Handlers,
  ProblemError,
  sees,
  settled,
} from '../platform/http/index.ts';
import { programLimits } from './limits.ts';
import type { ProgramRow, ProgramStore, ProgramVersionRow, ScheduledProgram } from './store.ts';
import { columnsOf, hashedRules, type RuleColumns, wireRulesOf } from './terms.ts';

export interface HandlerPorts {
  readonly store: ProgramStore;
  readonly nowMs: () => number;
}

const CURSOR = /^[1-9][0-9]{0,4}$/;

export function programHandlers(ports: HandlerPorts): Handlers {
  return {
    'programs.create': (request) => create(ports, request),
    'programs.read': (request) => read(ports, request),
    'program_versions.create': (request) => createVersion(ports, request),
    'program_versions.list': (request) => listVersions(ports, request),
    'program_versions.read': (request) => readVersion(ports, request),
  };
}

async function create({ store, nowMs }: HandlerPorts, request: CoreRequest<'programs.create'>): Promise<CoreAnswer> {
  const merchant_id = callingMerchant(request.context);
  const { name, unit, scale } = request.body;
  const id = uuidV7<ProgramId>(nowMs());
  const rules = columnsOf(request.body);
  const key = creationKey(request, [name, unit, scale, ...hashedRules(rules)]);
  const after = { name, unit, scale, ...wireRulesOf(rules) };
  const change = { action: 'program.create', targetType: 'program', targetId: id, before: null, after } as const;
  const audit = auditEntry({ ...request, ...change, merchantId: merchant_id }, nowMs());
  const outcome = await store.createProgram(key, { id, merchant_id, name, unit, scale, ...rules }, audit);
  const { row, replayed } = settled(outcome);
  return createdAnswer(programJson(row, row), replayed);
}

async function read(ports: HandlerPorts, request: CoreRequest<'programs.read'>): Promise<CoreAnswer> {
  const program = await seenProgram(ports, request);
  return ok(programJson(program, inForce(program, ports.nowMs())));
}

async function createVersion(
  ports: HandlerPorts,
  request: CoreRequest<'program_versions.create'>,
): Promise<CoreAnswer> {
  const { store, nowMs } = ports;
  const program = await seenProgram(ports, request);
  const { point_expiry, effective_from, ...body } = request.body;
  const rules = columnsOf({ ...body, ...(point_expiry === null ? {} : { point_expiry }) });
  const effectiveFrom = effective_from === undefined ? null : new Date(effective_from);
  const key = creationKey(request, [program.id, rules, effectiveFrom]);
  return attempts(programLimits.numberTriesMax, request.deadlineMs, async () => {
    const id = uuidV7(nowMs());
    const before = wireRulesOf(inForce(program, nowMs()));
    const after = { ...wireRulesOf(rules), effective_from: effectiveFrom?.toISOString() ?? null, version_id: id };
    const change = { action: 'program.version', targetType: 'program', targetId: program.id, before, after } as const;
    const audit = auditEntry({ ...request, ...change, merchantId: program.merchant_id }, nowMs());
    const wanted = { id, program_id: program.id, effective_from: effectiveFrom, ...rules };
    const outcome = await store.createVersion(key, wanted, audit);
    if (outcome.type !== 'conflict') {
      const { row, replayed } = settled(outcome);
      return createdAnswer(versionJson(row), replayed);
    }
    const { newest, earliest } = await store.versionBounds(program.id);
    if (newest === limits.programVersionsMax) throw new ProblemError('versions_limit_exceeded');
    if (effectiveFrom !== null && effectiveFrom < earliest) {
      throw new ProblemError('effective_from_too_soon', { detail: `The soonest is now ${earliest.toISOString()}.` });
    }
    return null;
  });
}

async function listVersions(ports: HandlerPorts, request: CoreRequest<'program_versions.list'>): Promise<CoreAnswer> {
  const { id } = await seenProgram(ports, request);
  const { limit, cursor } = request.queryValues;
  if (cursor !== undefined && !CURSOR.test(cursor)) throw new ProblemError('invalid_cursor');
  const from = cursor === undefined ? limits.programVersionsMax : Number(cursor);
  const rows = await ports.store.versions(id, from, limit + 1);
  const next = rows[limit];
  return ok({
    data: rows.slice(0, limit).map(versionJson),
    next_cursor: next === undefined ? null : String(next.version),
  });
}

async function readVersion(ports: HandlerPorts, request: CoreRequest<'program_versions.read'>): Promise<CoreAnswer> {
  const { id } = await seenProgram(ports, request);
  const versionId = parseId<string>(request.params[1] ?? '');
  const row = versionId === null ? null : await ports.store.version(id, versionId);
  if (row === null) throw new ProblemError('not_found');
  return ok(versionJson(row));
}

async function seenProgram(
  { store, nowMs }: HandlerPorts,
  { params, context }: Pick<CoreRequest, 'params' | 'context'>,
): Promise<ScheduledProgram> {
  const id = parseId<ProgramId>(params[0] ?? '');
  const [row = null] = id === null ? [] : await store.scheduled([id], nowMs());
  if (row === null || !sees(context, row.merchant_id)) throw new ProblemError('not_found');
  return row;
}

function inForce(program: ScheduledProgram, nowMs: number): RuleColumns {
  return program.versions.findLast(({ from_ms }) => from_ms <= nowMs) ?? program;
}

function ok(body: merchants.Program | programs.ProgramVersion | object): CoreAnswer {
  return { status: 200, body: JSON.stringify(body) };
}

function programJson(
  { id, merchant_id, name, unit, scale, created_at }: ProgramRow,
  rules: RuleColumns,
): merchants.Program {
  return { id, merchant_id, name, unit, scale, ...wireRulesOf(rules), created_at: created_at.toISOString() };
}

function versionJson(row: ProgramVersionRow): programs.ProgramVersion {
  const { id, program_id, version } = row;
  const effective_from = row.effective_from.toISOString();
  return { id, program_id, version, effective_from, ...wireRulesOf(row), created_at: row.created_at.toISOString() };
}
