/** Who is in memory: as an actor, on the shelf, or nowhere. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AccountId } from '@local-plus/contracts';
import type { AccountState } from '../account/model.ts';
import { openedAccount } from '../account/state.ts';
import { newAccountId } from '../conformance/rows.ts';
import type { Actor } from './actor.ts';
import { Directory } from './directory.ts';

const link = 'c0ffee'.padStart(64, '0');
const small: AccountState = { ...openedAccount, version: 1, balance: 5 };
/** Does not fit the shelf. */
const large: AccountState = { ...small, owed: 1 };

function directory(actorsRecentMax: number, actorsMax: number): Directory {
  return new Directory({ actorsRecentMax, actorsMax, shelfPlaces: 1_024 });
}

function summon(from: Directory, accountId: AccountId, state: AccountState): Actor {
  const actor = from.summon(accountId);
  assert.ok(actor !== null);
  if (actor.committed === null) actor.load(state, link);
  return actor;
}

const accounts = (count: number): AccountId[] => Array.from({ length: count }, () => newAccountId());

describe('the directory', () => {
  it('packs away who is not recent, and gives it back', () => {
    const known = directory(4, 100);
    const all = accounts(10);
    for (const id of all) summon(known, id, small);
    assert.deepEqual([known.size, known.shelved, known.evictedTotal], [4, 6, 6]);
    for (const id of all) {
      const actor = known.summon(id);
      assert.deepEqual([actor?.committed, actor?.committedHash], [small, link]);
      assert.equal(known.size + known.shelved, all.length);
      assert.ok(known.size <= 4);
    }
    assert.equal(known.unshelvedTotal, 10);
  });

  it('keeps who does not fit the shelf, until there are too many', () => {
    const known = directory(4, 12);
    const all = accounts(15);
    for (const id of all) summon(known, id, large);
    assert.deepEqual([known.size, known.shelved, known.evictedTotal], [12, 0, 3]);
    assert.deepEqual(
      all.map((id) => known.find(id) !== undefined),
      all.map((_, index) => index >= 3),
    );
  });

  it('lets who is used again stay longer than who is not, whether it was kept or recent', () => {
    for (const state of [small, large]) {
      const known = directory(4, 8);
      const [used, ...others] = accounts(30) as [AccountId, ...AccountId[]];
      const actor = summon(known, used, state);
      for (const id of others) {
        summon(known, id, large);
        assert.equal(known.summon(used), actor);
        assert.ok(known.size <= 8);
      }
      assert.equal(known.shelved, 0);
    }
  });

  it('looks again at who was kept: its state may fit by now', () => {
    const known = directory(2, 100);
    const [first, ...others] = accounts(6) as [AccountId, ...AccountId[]];
    const actor = summon(known, first, large);
    for (const id of others) summon(known, id, large);
    assert.equal(known.shelved, 0);
    assert.equal(known.summon(first), actor);
    actor.load(small, link);
    for (const id of accounts(6)) summon(known, id, large);
    assert.deepEqual([known.find(first), known.shelved], [undefined, 1]);
  });

  it('passes over who is busy, and is full when all are', () => {
    const known = directory(3, 6);
    const stay = accounts(6).map((id) => {
      const actor = summon(known, id, small);
      actor.depend(actor);
      return actor;
    });
    assert.deepEqual([known.size, known.summon(newAccountId())], [6, null]);
    for (const actor of stay) {
      assert.equal(known.find(actor.accountId), actor);
      actor.undepend(actor);
    }
    // Two go for one that comes, until there are as few as wanted.
    for (const id of accounts(6)) summon(known, id, small);
    assert.equal(known.size, 3);
  });

  it('packs nothing away of who has no state', () => {
    const known = directory(1, 10);
    for (const id of accounts(5)) known.summon(id);
    assert.deepEqual([known.size, known.shelved, known.evictedTotal], [1, 0, 4]);
  });
});
