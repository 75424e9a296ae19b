import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type GiftcardState, giftcardStates, isAllowed } from '@local-plus/contracts';
import {
  barOf,
  type CardStatus,
  checkNoticeDays,
  dateInMonths,
  daysLeftOf,
  endOfDate,
  nextNotice,
  stateOf,
  statusesBefore,
} from './domain.ts';

const now = Date.parse('2026-11-21T12:00:00Z');
const past = new Date(now - 1);
const future = new Date(now + 1);

/** Status as written, when it expires, balance, frozen, what is shown. */
const shown: readonly (readonly [CardStatus, Date | null, number, boolean, GiftcardState])[] = [
  ['pending', null, 0, false, 'pending'],
  ['pending', future, 0, false, 'pending'],
  ['pending', new Date(now), 0, false, 'expired'],
  ['active', null, 5, false, 'active'],
  ['active', null, 0, false, 'exhausted'],
  ['active', null, 5, true, 'blocked'],
  ['active', null, 0, true, 'blocked'],
  ['active', past, 5, false, 'expired'],
  ['active', past, 5, true, 'expired'],
  ['expired', past, 0, true, 'expired'],
  ['expired', future, 0, false, 'expired'],
  ['deactivated', null, 5, true, 'deactivated'],
  ['deactivated', past, 0, true, 'deactivated'],
];

describe('the state of a card', () => {
  for (const [status, expires_at, balance, frozen, state] of shown) {
    const told = `${status}, ${expires_at === null ? 'for ever' : expires_at > new Date(now) ? 'in time' : 'over'}`;
    it(`${told}, ${balance}${frozen ? ', frozen' : ''}: ${state}`, () => {
      assert.equal(stateOf({ status, expires_at }, { balance, held: 0, frozen }, now), state);
    });
  }

  it('forbids by the row what the table does not allow, and leaves the rest to the ledger', () => {
    for (const status of ['pending', 'expired', 'deactivated'] as const) {
      for (const activity of ['redeem', 'load', 'adjust_increment', 'release'] as const) {
        const bar = barOf({ status, expires_at: null }, activity, now);
        assert.equal(bar, isAllowed(activity, status) ? null : `giftcard_${status}`);
      }
    }
    assert.equal(barOf({ status: 'active', expires_at: future }, 'unblock', now), null);
    assert.deepEqual(statusesBefore('activate'), ['pending']);
    assert.deepEqual(statusesBefore('deactivate'), ['pending', 'active']);
    assert.deepEqual(statusesBefore('unblock'), ['active']);
    assert.equal(giftcardStates.length, 6);
  });
});

describe('the last day of a card', () => {
  const days: readonly (readonly [string, string, string])[] = [
    ['2026-11-21', 'UTC', '2026-11-22T00:00:00Z'],
    ['2026-11-21', 'Europe/Berlin', '2026-11-21T23:00:00Z'],
    ['2026-07-21', 'Europe/Berlin', '2026-07-21T22:00:00Z'],
    ['2026-11-21', 'America/Los_Angeles', '2026-11-22T08:00:00Z'],
    ['2026-11-21', 'Pacific/Kiritimati', '2026-11-21T10:00:00Z'],
    // 25 hours; a midnight that does not exist.
    ['2026-10-25', 'Europe/Berlin', '2026-10-25T23:00:00Z'],
    ['2026-04-23', 'Africa/Cairo', '2026-04-23T22:00:00Z'],
  ];
  for (const [date, zone, end] of days) {
    it(`${date} in ${zone} ends ${end}`, () => assert.equal(endOfDate(date, zone).getTime(), Date.parse(end)));
  }

  const months: readonly (readonly [string, number, string, string])[] = [
    ['2026-11-21T12:00:00Z', 12, 'UTC', '2027-11-21'],
    ['2026-01-31T12:00:00Z', 1, 'UTC', '2026-02-28'],
    ['2028-02-29T12:00:00Z', 12, 'UTC', '2029-02-28'],
    ['2026-11-21T23:30:00Z', 1, 'Europe/Berlin', '2026-12-22'],
    ['2026-12-31T12:00:00Z', 2, 'UTC', '2027-02-28'],
  ];
  for (const [moment, count, zone, date] of months) {
    it(`${count} months after ${moment} in ${zone} is ${date}`, () =>
      assert.equal(dateInMonths(Date.parse(moment), count, zone), date));
  }
});

describe('notices', () => {
  const at = new Date('2026-12-31T00:00:00Z');
  const next = (moment: string) => nextNotice(at, Date.parse(moment), [30, 7, 1]);

  it('come 30, 7 and 1 days before, each once, and not after', () => {
    assert.deepEqual(next('2026-11-01T00:00:00Z'), { at: new Date('2026-12-01T00:00:00Z'), daysLeft: 30 });
    assert.deepEqual(next('2026-12-01T00:00:00Z'), { at: new Date('2026-12-24T00:00:00Z'), daysLeft: 7 });
    assert.deepEqual(next('2026-12-29T23:59:59Z'), { at: new Date('2026-12-30T00:00:00Z'), daysLeft: 1 });
    assert.equal(next('2026-12-30T00:00:00Z'), null);
    assert.equal(nextNotice(null, now, [30]), null);
  });

  it('count begun days', () => {
    assert.equal(daysLeftOf(at, Date.parse('2026-12-30T00:00:00Z')), 1);
    assert.equal(daysLeftOf(at, Date.parse('2026-12-29T23:59:59Z')), 2);
    assert.equal(daysLeftOf(at, at.getTime() + 1), 0);
  });

  it('are whole days, the most first', () => {
    checkNoticeDays([30, 7, 1]);
    checkNoticeDays([]);
    for (const days of [[7, 30], [7, 7], [0], [1.5], [367]]) assert.throws(() => checkNoticeDays(days));
  });
});
