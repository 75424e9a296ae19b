/**
 * The arithmetic of tiers. Pure. What tiers are is said in contracts/tiers.ts.
 *
 * - T1 the tier is a function of three things: what was earned on each day and not reversed, the program's tiers, and the day.
 *   How it came to be is history, and changes nothing.
 * - T2 rows are taken in the order of the account's versions, each once; what time alone has changed before a row comes first.
 *   So the history is the same however late it is looked at, and by whom.
 */
import { expiryDay } from '@local-plus/actors';
import type { RequestId, tiers as wire } from '@local-plus/contracts';
import { tierLimits } from './limits.ts';

export const DAY_MS = 86_400_000;

export interface Scheme {
  readonly version: number;
  readonly window: { readonly period: wire.TierScheme['window']['period']; readonly count: number };
  readonly graceDays: number;
  /** The lowest first. */
  readonly tiers: readonly wire.Tier[];
  /** When the program came to have tiers: what was earned before promotes at that moment. */
  readonly beganAtMs: number;
}

/** What was earned on a day, and not reversed; more than 0. */
export type DayPoints = readonly [day: number, points: number];

export interface Standing {
  /** Among the tiers; −1: none. */
  readonly place: number;
  /** Earned in the window. */
  readonly points: number;
  /** The first day on which it is lower, if nothing is earned; null: it cannot fall. */
  readonly dueDay: number | null;
}

/** What is known of a wallet. */
export interface TierState {
  /** Of the account: rows up to this one are counted. */
  readonly version: number;
  readonly schemeVersion: number;
  /** As of this day. */
  readonly day: number;
  /** By day. */
  readonly days: readonly DayPoints[];
  readonly tier: string | null;
  readonly sinceMs: number | null;
  readonly dueDay: number | null;
  /** How often it changed. */
  readonly changes: number;
}

export interface CountedRow {
  readonly version: number;
  readonly atMs: number;
  readonly requestId: RequestId;
  /** Earned, or less than 0: reversed of what was earned at `earnedAtMs`. */
  readonly points: number;
  readonly earnedAtMs: number;
}

export interface Change {
  readonly place: number;
  readonly from: string | null;
  readonly to: string | null;
  readonly direction: wire.TierChange['direction'];
  readonly cause: wire.TierChange['cause'];
  readonly points: number;
  readonly atMs: number;
  /** Of the row that caused it; null: time, or other tiers. */
  readonly requestId: RequestId | null;
}

export interface Advance {
  readonly state: TierState;
  /** Nothing after it is taken yet. */
  readonly change: Change | null;
}

export function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}

export function newState(scheme: Scheme): TierState {
  const empty = { version: 0, day: 0, days: [], tier: null, sinceMs: null, dueDay: null, changes: 0 };
  return { ...empty, schemeVersion: scheme.version };
}

/** The first day on which what was earned on `day` counts no more. */
function leaveDay({ period, count }: Scheme['window'], day: number): number {
  return expiryDay({ period, count, endOfMonth: false }, day * DAY_MS);
}

/** A stretch of days with one sum; `end` is not of it. */
interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly points: number;
  readonly place: number;
}

/** @param today no later day has points */
export function standingOn(scheme: Scheme, days: readonly DayPoints[], today: number): Standing {
  const stretches = stretchesOf(scheme, days);
  const graceStart = today - scheme.graceDays;
  let place = -1;
  let points = 0;
  for (const stretch of stretches) {
    if (stretch.start > today) break;
    if (stretch.end > today) points = stretch.points;
    if (stretch.end > graceStart) place = Math.max(place, stretch.place);
  }
  if (place < 0) return { place, points, dueDay: null };
  const end = stretches.findLast((stretch) => stretch.place >= place)?.end ?? today;
  return { place, points, dueDay: end + scheme.graceDays };
}

function stretchesOf(scheme: Scheme, days: readonly DayPoints[]): readonly Stretch[] {
  const steps = new Map<number, number>();
  const step = (day: number, by: number) => steps.set(day, (steps.get(day) ?? 0) + by);
  for (const [day, earned] of days) {
    step(day, earned);
    step(leaveDay(scheme.window, day), -earned);
  }
  const edges = [...steps].sort(([one], [other]) => one - other);
  let points = 0;
  return edges.slice(0, -1).map(([start, by], index) => {
    points += by;
    const end = edges[index + 1]?.[0] ?? start;
    return { start, end, points, place: placeOf(scheme, points) };
  });
}

function placeOf({ tiers }: Scheme, points: number): number {
  return tiers.findLastIndex((tier) => tier.points <= points);
}

/**
 * T2. Takes rows up to the first change, or all of them, and then what time has changed until `nowMs`.
 *
 * @param rows after the state's version, in order
 * @param isWhole there are no more of them: else time is left to the next ones
 */
export function advance(
  state: TierState,
  scheme: Scheme,
  rows: readonly CountedRow[],
  isWhole: boolean,
  nowMs: number,
): Advance {
  let now: Advance = { state, change: null };
  if (state.schemeVersion !== scheme.version) {
    const known = { ...state, schemeVersion: scheme.version };
    now = isBegun(state)
      ? evaluated(known, scheme, dayOf(nowMs), nowMs, 'tiers', null)
      : { state: known, change: null };
  }
  for (const row of rows) {
    if (now.change === null && row.atMs >= scheme.beganAtMs) now = broughtTo(now.state, scheme, dayOf(row.atMs));
    if (now.change !== null) return now;
    if (row.version !== now.state.version + 1) throw new Error('the rows of an account have no gaps');
    now = taken(now.state, scheme, row);
  }
  return now.change === null && isWhole ? broughtTo(now.state, scheme, dayOf(nowMs)) : now;
}

/** What was earned before there were tiers promotes once, when there are, by all of it. */
function isBegun({ day }: TierState): boolean {
  return day > 0;
}

/** What changes until that day without a row. */
function broughtTo(state: TierState, scheme: Scheme, day: number): Advance {
  if (!isBegun(state)) {
    const begun = evaluated(state, scheme, dayOf(scheme.beganAtMs), scheme.beganAtMs, 'tiers', null);
    if (begun.change !== null) return begun;
    return broughtTo(begun.state, scheme, day);
  }
  if (state.dueDay === null || state.dueDay > day) return { state, change: null };
  const fallen = evaluated(state, scheme, state.dueDay, state.dueDay * DAY_MS, 'time', null);
  if (fallen.change === null) throw new Error('a tier falls on the day on which it is due');
  return fallen;
}

function taken(state: TierState, scheme: Scheme, row: CountedRow): Advance {
  const after = counted(state, row);
  if (row.points === 0 || !isBegun(after)) return { state: after, change: null };
  const cause = row.points < 0 ? 'reversal' : 'earn';
  return evaluated(after, scheme, dayOf(row.atMs), row.atMs, cause, row.requestId);
}

function counted(state: TierState, { version, points, earnedAtMs }: CountedRow): TierState {
  if (points === 0) return { ...state, version };
  const day = dayOf(earnedAtMs);
  const known = state.days.find(([each]) => each === day)?.[1] ?? 0;
  const sum = known + points;
  const others = state.days.filter(([each]) => each !== day);
  // Less than nothing is left only of a day that is not kept any more.
  if (sum <= 0) return { ...state, version, days: others };
  const place = others.findLastIndex(([each]) => each < day) + 1;
  return { ...state, version, days: others.toSpliced(place, 0, [day, sum]) };
}

function evaluated(
  state: TierState,
  scheme: Scheme,
  onDay: number,
  atMs: number,
  cause: Change['cause'],
  requestId: RequestId | null,
): Advance {
  const day = Math.max(onDay, state.day);
  const days = state.days.filter(([each]) => each > day - tierLimits.daysKept);
  const { place, points, dueDay } = standingOn(scheme, days, day);
  const tier = scheme.tiers[place]?.id ?? null;
  const after = { ...state, day, days, dueDay };
  if (tier === state.tier) return { state: after, change: null };
  const from = scheme.tiers.findIndex(({ id }) => id === state.tier);
  const change: Change = {
    place: state.changes + 1,
    from: state.tier,
    to: tier,
    direction: place > from ? 'promotion' : 'demotion',
    cause,
    points,
    atMs: Math.max(atMs, state.sinceMs ?? 0),
    requestId,
  };
  return { state: { ...after, tier, sinceMs: change.atMs, changes: change.place }, change };
}
