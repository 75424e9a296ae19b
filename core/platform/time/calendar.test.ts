import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { foreverMs } from '@local-plus/actors';
import type { rules as wire } from '@local-plus/contracts';
import { ZoneCalendar } from './calendar.ts';

/** Time zone, moment, what the clocks show: weekday from Monday 0, minute. */
const clocks: readonly (readonly [string, string, number, string])[] = [
  ['UTC', '1970-01-01T00:00:00Z', 3, '00:00'],
  ['UTC', '1969-12-31T23:59:59.999Z', 2, '23:59'],
  ['Europe/Berlin', '2026-11-21T23:30:00Z', 6, '00:30'],
  ['Europe/Berlin', '2026-07-21T22:00:00Z', 2, '00:00'],
  ['America/New_York', '2026-11-22T04:59:00Z', 5, '23:59'],
  ['Asia/Kolkata', '2026-11-22T18:30:00Z', 0, '00:00'],
  ['Pacific/Kiritimati', '2026-11-22T10:00:00Z', 0, '00:00'],
];

/** Time zone, period, moment, when its window is over. */
const windows: readonly (readonly [string, wire.CapPeriod, string, string])[] = [
  ['UTC', 'day', '2026-11-21T00:00:00Z', '2026-11-22T00:00:00Z'],
  ['UTC', 'day', '2026-11-21T23:59:59.999Z', '2026-11-22T00:00:00Z'],
  ['Europe/Berlin', 'day', '2026-11-21T22:59:59.999Z', '2026-11-21T23:00:00Z'],
  ['Europe/Berlin', 'day', '2026-11-21T23:00:00Z', '2026-11-22T23:00:00Z'],
  // 23 and 25 hours.
  ['Europe/Berlin', 'day', '2026-03-29T00:00:00Z', '2026-03-29T22:00:00Z'],
  ['Europe/Berlin', 'day', '2026-10-25T00:00:00Z', '2026-10-25T23:00:00Z'],
  // No midnight: the day begins at one o'clock.
  ['Africa/Cairo', 'day', '2026-04-23T12:00:00Z', '2026-04-23T22:00:00Z'],
  // No 30 December 2011.
  ['Pacific/Apia', 'day', '2011-12-29T12:00:00Z', '2011-12-30T10:00:00Z'],
  ['UTC', 'week', '2026-11-16T00:00:00Z', '2026-11-23T00:00:00Z'],
  ['UTC', 'week', '2026-11-22T23:59:59.999Z', '2026-11-23T00:00:00Z'],
  ['Europe/Berlin', 'week', '2026-10-24T12:00:00Z', '2026-10-25T23:00:00Z'],
  ['UTC', 'month', '2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z'],
  ['UTC', 'month', '2028-02-29T23:59:59.999Z', '2028-03-01T00:00:00Z'],
  ['UTC', 'month', '2026-12-31T12:00:00Z', '2027-01-01T00:00:00Z'],
  ['Europe/Berlin', 'month', '2026-03-31T22:30:00Z', '2026-04-30T22:00:00Z'],
  ['Asia/Tokyo', 'month', '2026-10-01T00:00:00Z', '2026-10-31T15:00:00Z'],
];

describe('the calendar of a time zone', () => {
  for (const [zone, moment, weekday, time] of clocks) {
    it(`${zone}, ${moment}: weekday ${weekday}, ${time}`, () => {
      const local = new ZoneCalendar(zone).at(Date.parse(moment));
      const [hours = 0, minutes = 0] = time.split(':').map(Number);
      assert.deepEqual([local.weekday, local.minute], [weekday, hours * 60 + minutes]);
    });
  }

  for (const [zone, period, moment, end] of windows) {
    it(`${zone}, the ${period} of ${moment} ends ${end}`, () => {
      const calendar = new ZoneCalendar(zone);
      const endMs = calendar.endOf(period, Date.parse(moment));
      assert.equal(new Date(endMs).toISOString(), new Date(end).toISOString());
      assert.ok(calendar.endOf(period, endMs) > endMs);
      assert.equal(calendar.endOf(period, Date.parse(moment)), endMs);
      if (period === 'day') assert.equal(calendar.endOfDay(calendar.at(Date.parse(moment)).day), endMs);
    });
  }

  it('ends a day that the zone left out when it would have begun', () => {
    const day = Date.UTC(2011, 11, 30) / 86_400_000;
    assert.equal(new ZoneCalendar('Pacific/Apia').endOfDay(day), Date.parse('2011-12-30T10:00:00Z'));
  });

  it('never ends what is for ever', () => {
    assert.equal(new ZoneCalendar('UTC').endOf('ever', Date.now()), foreverMs);
  });

  it('knows no other names', () => {
    assert.throws(() => new ZoneCalendar('Europe/Atlantis'), RangeError);
  });
});
