/** The clock and the timer of this process, behind the ports of actors; the calendars of time zones. */
import type { Clock, Timer } from '@local-plus/actors';

export { type LocalTime, ZoneCalendar } from './calendar.ts';

export const systemClock: Clock = { nowMs: Date.now, monotonicMs: () => performance.now() };

export const systemTimer: Timer = {
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
  soon: (run) => setImmediate(run),
};
