import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Boarding, Flights } from './flights.ts';

const bounds = { flightMs: 1_000, flightsMax: 3, followersMax: 2 };

type Leader = Extract<Boarding<string>, { role: 'leader' }>;
type Follower = Extract<Boarding<string>, { role: 'follower' }>;

function boardAs<Role extends 'leader' | 'follower'>(flights: Flights<string>, role: Role, nowMs = 0, key = 'k') {
  const boarding = flights.board(key, nowMs);
  assert.equal(boarding.role, role);
  return boarding as Role extends 'leader' ? Leader : Follower;
}

describe('a flight', () => {
  it('has one leader, and its followers get what was found (F2)', async () => {
    const flights = new Flights<string>(bounds);
    const leader = boardAs(flights, 'leader');
    const found = [boardAs(flights, 'follower').wait(1_000), boardAs(flights, 'follower').wait(1_000)];
    setTimeout(() => leader.land('found'), 20);
    assert.deepEqual(await Promise.all(found), ['found', 'found']);
    boardAs(flights, 'leader');
  });

  it('that finds nothing lets its followers go at their next look', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const flights = new Flights<string>(bounds);
    const leader = boardAs(flights, 'leader');
    const found = boardAs(flights, 'follower').wait(10_000);
    leader.land(null);
    // The first look; who waited on would wait for ever, as no more time passes.
    context.mock.timers.tick(1);
    // Deno leaves it on at the end of a test.
    context.mock.timers.reset();
    assert.equal(await found, null);
  });

  it('hands over a value, and no promise of the leader (F1)', async () => {
    const flights = new Flights<string>(bounds);
    const leader = boardAs(flights, 'leader');
    const found = boardAs(flights, 'follower').wait(1_000);
    let hasLearned = false;
    void found.then(() => {
      hasLearned = true;
    });
    leader.land('found');
    // Whatever promise the leader settles is heard of in the same turn; a timer of the follower's own is not.
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    assert.equal(hasLearned, false);
    assert.equal(await found, 'found');
  });

  it('that never lands is lost after its time, and followers wait no longer than they can (F2)', async () => {
    const flights = new Flights<string>(bounds);
    const lost = boardAs(flights, 'leader');
    assert.equal(await boardAs(flights, 'follower', 999).wait(15), null);
    const leader = boardAs(flights, 'leader', 1_000);
    lost.land('late');
    const found = boardAs(flights, 'follower', 1_001).wait(1_000);
    leader.land('found');
    assert.equal(await found, 'found');
  });

  it('is bounded in number and in followers (F3)', () => {
    const flights = new Flights<string>(bounds);
    for (const key of ['a', 'b', 'c']) boardAs(flights, 'leader', 0, key);
    assert.equal(flights.board('d', 0).role, 'turned away');
    for (let count = 0; count < 2; count++) void boardAs(flights, 'follower', 0, 'a').wait(1);
    assert.equal(flights.board('a', 0).role, 'turned away');
    boardAs(flights, 'leader', 1_000, 'd');
    assert.equal(flights.size, 1);
  });
});
