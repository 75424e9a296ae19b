/** Wire ↔ liability: reports of a program and of all of a merchant's. */
import { limits, type ProgramId, parseId, type liability as wire } from '@local-plus/contracts';
import { pageOf } from '../platform/cursor/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  callingMerchant,
  type Handlers,
  ProblemError,
} from '../platform/http/index.ts';
import { type ProgramOwner, type Programs, seenProgram } from '../program/index.ts';
import { added, breakagePpm, netOf, noSums, reversedOf, type Sums, worthOf } from './domain.ts';
import type { LiabilityFollower } from './follower.ts';
import { liabilityLimits } from './limits.ts';
import { type LiabilityStore, sumsOf } from './store.ts';

export interface Rates {
  /** At which a program's points paid just before a moment, by currency. */
  before(programId: ProgramId, moment: Date): Promise<readonly RateInForce[]>;
}
export interface RateInForce {
  readonly currency: string;
  readonly version: number;
  readonly points: number;
  readonly amount: number;
}

export interface HandlerPorts {
  readonly store: LiabilityStore;
  readonly follower: Pick<LiabilityFollower, 'catchUp'>;
  readonly programs: Programs<ProgramOwner & { readonly unit: string }>;
  readonly rates: Rates;
  readonly nowMs: () => number;
}

interface Period {
  readonly from: string;
  readonly to: string;
}

export function liabilityHandlers(ports: HandlerPorts): Handlers {
  return {
    'liability.program': (request) => program(ports, request),
    'liability.list': (request) => list(ports, request),
  };
}

async function program(ports: HandlerPorts, request: CoreRequest<'liability.program'>): Promise<CoreAnswer> {
  const { store, follower, programs, rates, nowMs } = ports;
  const owner = await seenProgram(programs, request);
  const { programId } = owner;
  const { from, to } = periodOf(request.queryValues, nowMs());
  await follower.catchUp();
  const { opening, asOf, days: found } = await store.program(programId, from, to);
  const byDay = new Map(found.map((row) => [row.day, row]));
  const days: wire.LiabilityDay[] = [];
  let outstanding = BigInt(opening);
  let sums = noSums;
  let transactions = 0;
  for (let day = from; day <= to; day = dayAfter(day)) {
    const row = byDay.get(day) ?? null;
    const ofDay = row === null ? noSums : sumsOf(row);
    days.push(dayJson(day, ofDay, outstanding, row, asOf));
    outstanding += netOf(ofDay);
    sums = added(sums, ofDay);
    transactions += row?.transactions ?? 0;
  }
  const inForce = await rates.before(programId, new Date(Math.min(startOf(dayAfter(to)), nowMs())));
  const answer: wire.ProgramLiability = {
    program_id: programId,
    unit: owner.unit,
    from,
    to,
    days,
    total: { opening, ...flowsJson(sums), closing: String(outstanding), transactions },
    value: inForce.map(({ currency, version, points, amount }) => {
      const rate = { version, points, amount };
      return { currency, amount: String(worthOf(outstanding, rate)), rate };
    }),
    as_of: asOf?.toISOString() ?? null,
  };
  return { status: 200, body: JSON.stringify(answer) };
}

async function list(ports: HandlerPorts, request: CoreRequest<'liability.list'>): Promise<CoreAnswer> {
  const merchantId = callingMerchant(request.context);
  const { limit, cursor, ...asked } = request.queryValues;
  const { from, to } = periodOf(asked, ports.nowMs());
  // Behind every program of the last day.
  const before = cursor === undefined ? { day: dayAfter(to), programId: firstId } : placeOf(cursor);
  if (before === null || before.day > dayAfter(to)) throw new ProblemError('invalid_cursor');
  await ports.follower.catchUp();
  const asOf = await ports.store.asOf();
  const rows = await ports.store.page(merchantId, from, before, limit + 1);
  const page = pageOf(rows, limit, (last) => `${last.day}_${last.program_id}`);
  const answer: wire.LiabilityPage = {
    data: page.rows.map((row) => {
      const { program_id, unit, day, opening } = row;
      return { program_id, unit, ...dayJson(day, sumsOf(row), BigInt(opening), row, asOf) };
    }),
    as_of: asOf?.toISOString() ?? null,
    next_cursor: page.nextCursor,
  };
  return { status: 200, body: JSON.stringify(answer) };
}

/** Sorts before every id. */
const firstId = '00000000-0000-0000-0000-000000000000';
const PLACE = /^(2\d{3}-\d{2}-\d{2})_([0-9a-f-]{36})$/;

/** null: not one of ours. */
function placeOf(cursor: string): { readonly day: string; readonly programId: string } | null {
  const [, day = '', id = ''] = PLACE.exec(cursor) ?? [];
  const programId = parseId<string>(id);
  return programId === null || !isDay(day) ? null : { day, programId };
}

/** Throws `invalid_request` for one that ends before it begins, or is too long. */
function periodOf(
  asked: { readonly from?: string | undefined; readonly to?: string | undefined },
  nowMs: number,
): Period {
  const to = asked.to ?? dayOf(nowMs);
  const from = asked.from ?? `${to.slice(0, 8)}01`;
  const days = (startOf(to) - startOf(from)) / DAY_MS + 1;
  if (days < 1 || days > limits.liabilityDaysMax) {
    const detail =
      days < 1 ? 'is later than the last day' : `is more than ${limits.liabilityDaysMax} days before the last`;
    throw new ProblemError('invalid_request', { errors: [{ pointer: '?from', code: 'custom', detail }] });
  }
  return { from, to };
}

function dayJson(
  day: string,
  sums: Sums,
  opening: bigint,
  row: { readonly transactions: number; readonly late_transactions: number } | null,
  asOf: Date | null,
): wire.LiabilityDay {
  return {
    day,
    opening: String(opening),
    ...flowsJson(sums),
    closing: String(opening + netOf(sums)),
    transactions: row?.transactions ?? 0,
    late_transactions: row?.late_transactions ?? 0,
    is_closed: asOf !== null && asOf.getTime() >= startOf(dayAfter(day)) + liabilityLimits.graceMs,
  };
}

function flowsJson(sums: Sums) {
  return {
    issued: String(sums.issued),
    redeemed: String(sums.redeemed),
    expired: String(sums.expired),
    adjusted: String(sums.adjusted),
    transferred: String(sums.transferred),
    reversed: String(reversedOf(sums)),
    breakage_ppm: breakagePpm(sums),
  };
}

const DAY_MS = 24 * 3_600_000;

function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}

function startOf(day: string): number {
  return Date.parse(`${day}T00:00:00Z`);
}

function dayAfter(day: string): string {
  return dayOf(startOf(day) + DAY_MS);
}

function isDay(text: string): boolean {
  const atMs = startOf(text);
  return !Number.isNaN(atMs) && dayOf(atMs) === text;
}
