/**
 * The calendar of a time zone: what its clocks show at a moment, and when its day, week or month is over. Pure, but for what
 * the runtime knows of time zones.
 *
 * - Z1 a window ends at the first moment at which the clocks show a later day, week or month: found by halving over moments, so
 *   that a midnight that does not exist, or comes twice, needs no special case.
 */
import { foreverMs } from '@local-plus/actors';
import type { rules } from '@local-plus/contracts';

export interface LocalTime {
  /** 0: Monday … 6: Sunday. */
  readonly weekday: number;
  /** 0 … 1,439 since midnight, by the clock. */
  readonly minute: number;
  /** Days since 1970-01-01, by the calendar on the wall. */
  readonly day: number;
  /** Months since January 1970. */
  readonly month: number;
}

const DAY_MS = 86_400_000;
/** No day, week, or month is longer, with whatever the clocks are put back. */
const longestMs: Readonly<Record<'day' | 'week' | 'month', number>> = {
  day: 3 * DAY_MS,
  week: 9 * DAY_MS,
  month: 33 * DAY_MS,
};
/** 1970-01-01 was a Thursday. */
const WEEKDAY_OF_DAY_0 = 3;

export class ZoneCalendar {
  readonly #format: Intl.DateTimeFormat;
  /** The newest window that was asked for: most purchases are of the same one. */
  readonly #known = new Map<rules.CapPeriod, { readonly sinceMs: number; readonly untilMs: number }>();

  /** Throws a RangeError for what is not the name of a time zone. */
  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    });
  }

  at(ms: number): LocalTime {
    const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of this.#format.formatToParts(ms)) parts[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = parts;
    const days = Math.floor(Date.UTC(year, month - 1, day) / DAY_MS);
    return {
      weekday: modulo(days + WEEKDAY_OF_DAY_0, 7),
      minute: hour * 60 + minute,
      day: days,
      month: (year - 1970) * 12 + month - 1,
    };
  }

  /** When the window of `nowMs` is over. */
  endOf(period: rules.CapPeriod, nowMs: number): number {
    if (period === 'ever') return foreverMs;
    const known = this.#known.get(period);
    if (known !== undefined && nowMs >= known.sinceMs && nowMs < known.untilMs) return known.untilMs;
    const untilMs = this.#search(period, nowMs);
    this.#known.set(period, { sinceMs: nowMs, untilMs });
    return untilMs;
  }

  /** The first moment after a day of the calendar; Z1 holds of it, too. A day that a zone left out ends when it would have begun. */
  endOfDay(day: number): number {
    // No zone's clocks are a day or more away from UTC, whatever they are put back by.
    let inside = (day - 1) * DAY_MS;
    let outside = (day + 3) * DAY_MS;
    while (outside - inside > 1) {
      const middle = Math.floor((inside + outside) / 2);
      if (this.at(middle).day > day) outside = middle;
      else inside = middle;
    }
    return outside;
  }

  #search(period: 'day' | 'week' | 'month', nowMs: number): number {
    const window = this.#window(period, nowMs);
    let inside = nowMs;
    let outside = nowMs + longestMs[period];
    while (outside - inside > 1) {
      const middle = Math.floor((inside + outside) / 2);
      if (this.#window(period, middle) > window) outside = middle;
      else inside = middle;
    }
    return outside;
  }

  /** Grows by one with every window. */
  #window(period: 'day' | 'week' | 'month', ms: number): number {
    const { day, month } = this.at(ms);
    if (period === 'month') return month;
    return period === 'day' ? day : Math.floor((day + WEEKDAY_OF_DAY_0) / 7);
  }
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}
