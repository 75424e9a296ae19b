/**
 * Wire ↔ tiers: those of programs, and of wallets.
 *
 * - Another tenant's program or wallet answers as what does not exist.
 */
import { type AccountId, limits, parseId, type tiers as wire } from '@local-plus/contracts';
import { auditEntry } from '../audit/index.ts';
import {
  attempts,
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  type Handlers,
  ProblemError,
  sees,
  settled,
} from '../platform/http/index.ts';
import { type ProgramOwner, type Programs, seenProgram } from '../program/index.ts';
import type { Counting } from './counting.ts';
import { DAY_MS, dayOf, standingOn } from './domain.ts';
import { tierLimits } from './limits.ts';
import type { ChangeRow, SchemeRow, TierStore } from './store.ts';

/** What the module has to know of a wallet. */
export interface WalletOwner extends ProgramOwner {
  readonly accountId: AccountId;
}

type Found<Owner> = Owner | null | Promise<Owner | null>;

export interface HandlerPorts {
  readonly store: TierStore;
  readonly counting: Counting;
  readonly programs: Programs<ProgramOwner>;
  readonly wallets: { find(accountId: AccountId): Found<WalletOwner> };
  readonly nowMs: () => number;
}

const NUMBER = /^[1-9][0-9]{0,8}$/;

export function tierHandlers(ports: HandlerPorts): Handlers {
  return {
    'tiers.set': (request) => set(ports, request),
    'tiers.read': (request) => read(ports, request),
    'tiers.list': (request) => list(ports, request),
    'wallets.tier': (request) => readTier(ports, request),
    'wallets.tier_changes': (request) => listChanges(ports, request),
  };
}

async function set(ports: HandlerPorts, request: CoreRequest<'tiers.set'>): Promise<CoreAnswer> {
  const { store, nowMs } = ports;
  const { programId, merchantId } = await seenProgram(ports.programs, request);
  const { window, grace_days, tiers } = request.body;
  const key = creationKey(request, [programId, window.period, window.count, grace_days, tiers]);
  const wanted = {
    program_id: programId,
    window_period: window.period,
    window_count: window.count,
    grace_days,
    tiers,
  };
  return attempts(tierLimits.numberTriesMax, request.deadlineMs, async () => {
    const [newest] = await store.schemes(programId, limits.tierSchemesMax, 1);
    const { context, requestId } = request;
    const before = newest === undefined ? null : termsJson(newest);
    const change = { action: 'program.tiers', targetType: 'program', targetId: programId, before } as const;
    const audit = auditEntry({ context, requestId, ...change, after: request.body, merchantId }, nowMs());
    const outcome = await store.createScheme(key, wanted, newest?.version ?? 0, audit);
    if (outcome.type !== 'conflict') {
      const { row, replayed } = settled(outcome);
      return createdAnswer(schemeJson(row), replayed);
    }
    if (newest?.version === limits.tierSchemesMax) throw new ProblemError('versions_limit_exceeded');
    return null;
  });
}

async function read(ports: HandlerPorts, request: CoreRequest<'tiers.read'>): Promise<CoreAnswer> {
  const { programId } = await seenProgram(ports.programs, request);
  const [newest] = await ports.store.schemes(programId, limits.tierSchemesMax, 1);
  if (newest === undefined) throw new ProblemError('no_tiers');
  return ok(schemeJson(newest));
}

async function list(ports: HandlerPorts, request: CoreRequest<'tiers.list'>): Promise<CoreAnswer> {
  const { programId } = await seenProgram(ports.programs, request);
  const { limit, cursor } = request.queryValues;
  const from = cursor === undefined ? limits.tierSchemesMax : numberOf(cursor);
  const rows = await ports.store.schemes(programId, from, limit + 1);
  const next = rows[limit];
  const data = rows.slice(0, limit).map(schemeJson);
  return ok({ data, next_cursor: next === undefined ? null : String(next.version) });
}

async function readTier(ports: HandlerPorts, request: CoreRequest<'wallets.tier'>): Promise<CoreAnswer> {
  const { store, counting, nowMs } = ports;
  const { accountId, programId } = await seenWallet(ports, request);
  const program = await store.program(programId);
  if (program === null) throw new ProblemError('no_tiers');
  const { state, scheme } = await counting.read({ accountId, programId }, program.version);
  const asOfMs = nowMs();
  const { place, points, dueDay } = standingOn(scheme, state.days, Math.max(state.day, dayOf(asOfMs)));
  const next = scheme.tiers[place + 1];
  const answer: wire.WalletTier = {
    wallet_id: accountId,
    program_id: programId,
    tiers_version: scheme.version,
    tier: scheme.tiers[place] ?? null,
    since: timeJson(state.sinceMs),
    points,
    next: next === undefined ? null : { ...next, missing: next.points - points },
    safe_until: dueDay === null ? null : timeJson(dueDay * DAY_MS),
    as_of: new Date(asOfMs).toISOString(),
  };
  return ok(answer);
}

async function listChanges(ports: HandlerPorts, request: CoreRequest<'wallets.tier_changes'>): Promise<CoreAnswer> {
  const { accountId } = await seenWallet(ports, request);
  const { limit, cursor } = request.queryValues;
  const from = cursor === undefined ? 2 ** 31 - 1 : numberOf(cursor);
  const rows = await ports.store.changes(accountId, from, limit + 1);
  const next = rows[limit];
  return ok({
    data: rows.slice(0, limit).map(changeJson),
    next_cursor: next === undefined ? null : String(next.place),
  });
}

function numberOf(cursor: string): number {
  if (!NUMBER.test(cursor)) throw new ProblemError('invalid_cursor');
  return Number(cursor);
}

async function seenWallet(
  { wallets }: HandlerPorts,
  { params, context }: Pick<CoreRequest, 'params' | 'context'>,
): Promise<WalletOwner> {
  const id = parseId<AccountId>(params[0] ?? '');
  const wallet = id === null ? null : await wallets.find(id);
  if (wallet === null || !sees(context, wallet.merchantId)) throw new ProblemError('not_found');
  return wallet;
}

function ok(body: unknown): CoreAnswer {
  return { status: 200, body: JSON.stringify(body) };
}

function timeJson(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

function termsJson({ window_period, window_count, grace_days, tiers }: SchemeRow) {
  // The schema has bounded what either period's count can be.
  const window = { period: window_period, count: window_count } as wire.TierScheme['window'];
  return { window, grace_days, tiers };
}

function schemeJson(row: SchemeRow): wire.TierScheme {
  const { program_id, version } = row;
  return { program_id, version, ...termsJson(row), created_at: row.created_at.toISOString() };
}

function changeJson(row: ChangeRow): wire.TierChange {
  const { place, from_tier, to_tier, direction, cause, points, scheme_version, at } = row;
  const header = { place, from_tier, to_tier, direction, cause, points };
  return { ...header, tiers_version: scheme_version, at: at.toISOString() };
}
