import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openedAccount, StoreFailure } from '../index.ts';
import { newAccountId, Stage } from '../test/stage.ts';
import { started, typeOf, types, watch } from '../test/watch.ts';

describe('the runtime', () => {
  it('earns, burns and refuses, in the order of arrival within an account', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const account = newAccountId();
    const outcomes = await Promise.all([
      runtime.submit(stage.request(account, 'burn', 1, 'a')),
      runtime.submit(stage.request(account, 'earn', 10, 'b')),
      runtime.submit(stage.request(account, 'burn', 4, 'c')),
      runtime.submit(stage.request(account, 'burn', 7, 'd')),
    ]);
    assert.deepEqual(types(outcomes), ['refused', 'posted', 'posted', 'refused']);
    assert.deepEqual(await runtime.read(account), { ...openedAccount, version: 2, balance: 6, lastAtMs: stage.nowMs });
    assert.equal(stage.commits, 1);
  });

  it('commits many accounts as one batch, and announces it once', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const accounts = Array.from({ length: 300 }, newAccountId);
    const outcomes = await Promise.all(accounts.map((id) => runtime.submit(stage.request(id, 'earn', 1, 'k'))));
    assert.ok(outcomes.every((outcome) => outcome.type === 'posted'));
    assert.equal(new Set(outcomes.map((outcome) => outcome.type === 'posted' && outcome.transactionId)).size, 300);
    assert.deepEqual(stage.commandsPerBatch, [300]);
    assert.deepEqual(
      stage.announced.map(({ batch, posted }) => [batch, posted.length]),
      [[1, 300]],
    );
  });

  it('I3: one key, a hundred times at once and again later: one effect, one outcome', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const account = newAccountId();
    const ask = () => runtime.submit(stage.request(account, 'earn', 5, 'same'));
    const outcomes = await Promise.all(Array.from({ length: 100 }, ask));
    outcomes.push(await ask());
    const ids = new Set(outcomes.map((outcome) => outcome.type === 'posted' && outcome.transactionId));
    assert.equal(ids.size, 1);
    assert.equal(outcomes.filter((outcome) => outcome.type === 'posted' && !outcome.replayed).length, 1);
    assert.equal(stage.ledger.transactions(account).length, 1);
  });

  it('I3: the key of another request is reused, at once and later, whether that was posted or refused', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const account = newAccountId();
    const first = runtime.submit(stage.request(account, 'earn', 5, 'k'));
    const second = runtime.submit(stage.request(account, 'earn', 6, 'k'));
    assert.deepEqual(types([await first, await second]), ['posted', 'key_reused']);
    assert.equal((await runtime.submit(stage.request(account, 'burn', 5, 'k'))).type, 'key_reused');
    assert.equal((await runtime.submit(stage.request(account, 'burn', 50, 'r'))).type, 'refused');
    const replayed = await runtime.submit(stage.request(account, 'burn', 50, 'r'));
    assert.ok(replayed.type === 'refused' && replayed.replayed);
    assert.equal((await runtime.submit(stage.request(account, 'burn', 5, 'r'))).type, 'key_reused');
  });

  it('I3: a retry that waits for another request with its key is still told its own outcome', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const account = newAccountId();
    const original = () => runtime.submit(stage.request(account, 'earn', 5, 'key'));
    const first = await original();
    const [mistaken, retry] = await Promise.all([runtime.submit(stage.request(account, 'earn', 6, 'key')), original()]);
    assert.equal(mistaken?.type, 'key_reused');
    assert.ok(first.type === 'posted' && retry?.type === 'posted' && retry.replayed);
    assert.equal(retry.transactionId, first.transactionId);
  });

  it('keys of different accounts have nothing to do with each other', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const ask = () => runtime.submit(stage.request(newAccountId(), 'earn', 5, 'k'));
    const outcomes = await Promise.all([ask(), ask()]);
    assert.ok(outcomes.every((outcome) => outcome.type === 'posted' && !outcome.replayed));
  });

  it('I4: neither answers nor shows what is not committed', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const account = newAccountId();
    await runtime.submit(stage.request(account, 'earn', 1, 'a'));
    const watched = watch(runtime.submit(stage.request(account, 'earn', 2, 'b')));
    await Promise.resolve();
    stage.hold();
    await stage.settle();
    const state = await runtime.read(account);
    assert.equal(state?.balance, 1);
    assert.equal(typeOf(watched), 'waits');
    stage.release();
    await stage.settle();
    assert.equal(typeOf(watched), 'posted');
    assert.equal((await runtime.read(account))?.balance, 3);
  });
});

describe('the bounds of the runtime', () => {
  it('refuses what does not fit into a mailbox, or into the process, at once', async () => {
    const stage = new Stage();
    const runtime = await started(stage, { mailboxMax: 3, pendingMax: 5 });
    stage.hold();
    const account = newAccountId();
    const ask = (id: typeof account, key: string) => watch(runtime.submit(stage.request(id, 'earn', 1, key)));
    const own = ['a', 'b', 'c', 'd'].map((key) => ask(account, key));
    const others = ['a', 'b', 'c'].map((key) => ask(newAccountId(), key));
    await stage.settle();
    assert.deepEqual(
      [...own, ...others].map(({ outcome }) => outcome?.type ?? 'waits'),
      ['waits', 'waits', 'waits', 'overloaded', 'waits', 'waits', 'overloaded'],
    );
    stage.release();
    await stage.settle();
    assert.equal(own[2]?.outcome?.type, 'posted');
    assert.equal(runtime.status.pending, 0);
  });

  it('keeps a bounded number of actors; an evicted one comes back with its state', async () => {
    const stage = new Stage();
    const limits = { actorsMax: 10, actorsRecentMax: 10, pendingMax: 10, mailboxMax: 10 };
    const runtime = await started(stage, limits);
    const accounts = Array.from({ length: 50 }, newAccountId);
    for (const id of accounts) await runtime.submit(stage.request(id, 'earn', 3, 'a'));
    assert.equal(runtime.status.actors, 10);
    assert.equal(runtime.status.actorsEvicted, 40);
    for (const id of accounts) {
      const outcome = await runtime.submit(stage.request(id, 'burn', 3, 'b'));
      assert.ok(outcome.type === 'posted' && outcome.row.posting.version === 2);
    }
  });

  it('gets an evicted state back from memory, without a load', async () => {
    const stage = new Stage();
    const runtime = await started(stage, {
      actorsMax: 10,
      actorsRecentMax: 10,
      pendingMax: 10,
      mailboxMax: 10,
      shelfPlaces: 1_024,
    });
    const accounts = Array.from({ length: 50 }, newAccountId);
    for (const id of accounts) await runtime.submit(stage.request(id, 'earn', 3, 'a'));
    assert.equal(runtime.status.shelved, 40);
    const loads = stage.accountsAsked;
    for (const id of accounts) {
      const outcome = await runtime.submit(stage.request(id, 'burn', 3, 'b'));
      assert.ok(outcome.type === 'posted' && outcome.row.posting.version === 2);
      assert.equal((await runtime.read(id))?.balance, 0);
    }
    assert.equal(stage.accountsAsked, loads);
    assert.equal(runtime.status.actorsUnshelved, 50);
    assert.equal(runtime.status.shelved, 40);
  });

  it('loads an account once, however many wait for it', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const account = newAccountId();
    const states = await Promise.all(Array.from({ length: 20 }, () => runtime.read(account)));
    assert.ok(states.every((state) => state?.version === 0));
    assert.equal(runtime.status.lookUpStatements, 1);
  });

  it('stops gracefully: what is accepted is answered, what comes later is refused', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const account = newAccountId();
    stage.hold();
    const watched = watch(runtime.submit(stage.request(account, 'earn', 1, 'k')));
    await stage.settle();
    const stopping = runtime.stop(1_000);
    assert.equal((await runtime.submit(stage.request(account, 'earn', 1, 'late'))).type, 'unavailable');
    stage.release();
    await stage.settle();
    await stage.pass(5);
    await stopping;
    assert.equal(watched.outcome?.type, 'posted');
  });
});

describe('store failures', () => {
  it('say what happens next, and keep their cause', () => {
    const cause = new Error('57P01');
    const failure = new StoreFailure('unknown', 'gone', { cause });
    assert.deepEqual([failure.outcome, failure.cause], ['unknown', cause]);
  });
});
