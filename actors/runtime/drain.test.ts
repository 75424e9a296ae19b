/** A drain lets go of accounts: nothing of theirs is under way afterwards, and nothing of them is in memory. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AccountId } from '@local-plus/contracts';
import { newAccountId, Stage } from '../test/stage.ts';
import { started } from '../test/watch.ts';

/** What a promise has come to by now. */
function watched<Value>(promise: Promise<Value>): { value: Value | 'waits' } {
  const state: { value: Value | 'waits' } = { value: 'waits' };
  promise.then((value) => {
    state.value = value;
  });
  return state;
}

describe('a drain', () => {
  it('waits for what is under way, and lets go of those accounts only', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const [leaving, staying] = [newAccountId(), newAccountId()] as [AccountId, AccountId];
    await runtime.submit(stage.request(staying, 'earn', 1, 'a'));
    stage.hold('writes');
    const posted = runtime.submit(stage.request(leaving, 'earn', 5, 'b'));
    await stage.settle();
    const drained = watched(runtime.drain((accountId) => accountId === leaving, 1_000));
    await stage.pass(100);
    assert.equal(drained.value, 'waits');
    stage.release();
    assert.equal((await posted).type, 'posted');
    await stage.pass(100);
    assert.equal(drained.value, true);
    assert.equal(runtime.status.actors, 1);
    assert.equal((await runtime.read(leaving))?.balance, 5);
  });

  it('leaves nothing of them behind where room was made', async () => {
    const stage = new Stage();
    const runtime = await started(stage, { actorsMax: 8, actorsRecentMax: 8, pendingMax: 8, mailboxMax: 8 });
    const accounts = Array.from({ length: 20 }, newAccountId);
    for (const id of accounts) await runtime.submit(stage.request(id, 'earn', 5, 'a'));
    assert.equal(runtime.status.shelved, 12);
    assert.equal(await runtime.drain((accountId) => accountId === accounts[0], 1_000), true);
    assert.equal(runtime.status.shelved, 0);
    const loads = stage.accountsAsked;
    assert.equal((await runtime.read(accounts[0] as AccountId))?.balance, 5);
    assert.equal(stage.accountsAsked, loads + 1);
  });

  it('waits for every part of a request, and for who follows its key', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const [from, to] = [newAccountId(), newAccountId()] as [AccountId, AccountId];
    await runtime.submit(stage.request(from, 'earn', 10, 'a'));
    stage.hold('writes');
    const request = stage.transfer(from, to, 4, 'b');
    const both = Promise.all([runtime.submit(request), runtime.submit(request)]);
    await stage.settle();
    const drained = watched(runtime.drain((accountId) => accountId === to, 1_000));
    await stage.pass(100);
    assert.equal(drained.value, 'waits');
    stage.release();
    assert.deepEqual(
      (await both).map(({ type }) => type),
      ['posted', 'posted'],
    );
    await stage.pass(100);
    assert.equal(drained.value, true);
  });

  it('is not over while an outcome is unknown, although its client was answered at the deadline', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const account = newAccountId();
    stage.hold('writes');
    const answered = watched(runtime.submit(stage.request(account, 'earn', 5, 'a')));
    await stage.settle();
    await stage.pass(11_000);
    assert.deepEqual(answered.value, { type: 'unavailable' });
    const drained = watched(runtime.drain(() => true, 1_000));
    await stage.pass(500);
    assert.equal(drained.value, 'waits');
    await stage.pass(600);
    assert.equal(drained.value, false);
    stage.release();
    await stage.settle();
    assert.equal(await runtime.drain(() => true, 1_000), true);
  });

  it('of a writer that is lost comes to nothing: what it gave up may be written', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const account = newAccountId();
    stage.hold('writes');
    const answer = runtime.submit(stage.request(account, 'earn', 5, 'a'));
    await stage.settle();
    const drained = watched(runtime.drain(() => true, 10_000));
    await stage.ledger.connect().claim(1);
    stage.release();
    assert.equal((await answer).type, 'unavailable');
    await stage.pass(100);
    assert.equal(drained.value, false);
  });
});
