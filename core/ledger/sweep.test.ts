/** The sweep over a real runtime on a ledger in memory; clocks and timers move when the test says so. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newAccountId } from '@local-plus/actors/conformance';
import { DAY_MS, programId, started } from './test/sweep-rig.ts';

describe('the sweep of due times', () => {
  it('releases a hold when its time is over, and not before', async () => {
    const rig = await started();
    const accountId = await rig.holding(60);
    const sweep = rig.sweep();
    sweep.start();
    await rig.pass(59_000);
    assert.deepEqual(rig.posted(accountId, 2), []);
    assert.equal(rig.reads, 0, 'what is not due is not looked at');
    await rig.pass(1_000);
    assert.deepEqual(rig.posted(accountId, 2), ['release 10 by due 2']);
    assert.equal(sweep.counters.postings, 1);
    await rig.pass(DAY_MS);
    assert.equal(rig.ledger.transactions(accountId).length, 3);
    await sweep.stop();
  });

  it('expires the lots of a day when the day is over', async () => {
    const rig = await started();
    const accountId = newAccountId();
    const expiry = { period: 'days', count: 1, endOfMonth: false } as const;
    for (const key of ['a', 'b']) await rig.post(accountId, key, { kind: 'earn', amount: 7, programId, expiry });
    await rig.post(accountId, 'c', { kind: 'earn', amount: 5, programId, expiry: null });
    const sweep = rig.sweep();
    sweep.start();
    await rig.pass(DAY_MS * 1.5 - 1);
    assert.deepEqual(rig.posted(accountId, 3), []);
    await rig.pass(1_000);
    assert.deepEqual(rig.posted(accountId, 3), ['expire 14 by due 3']);
    await sweep.stop();
  });

  it('posts all that is due of an account, one after the other, each under a key and a request of its own', async () => {
    const rig = await started();
    const accountId = await rig.holding(30, 10, 20, 500);
    const sweep = rig.sweep();
    await rig.pass(60_000);
    sweep.start();
    await rig.pass(0);
    assert.deepEqual(rig.posted(accountId, 5), ['release 10 by due 5', 'release 10 by due 6', 'release 10 by due 7']);
    assert.equal(new Set(rig.submits.map(({ facts: { requestId } }) => requestId)).size, 3);
    for (const { facts: about } of rig.submits) assert.match(about.requestHash, /^[0-9a-f]{32}$/);
    await sweep.stop();
  });

  it('goes on at once after a full round, and pauses after one that was not', async () => {
    const rig = await started();
    const accounts = await Promise.all(Array.from({ length: 9 }, () => rig.holding(10)));
    await rig.pass(10_000);
    const sweep = rig.sweep({ accountsMax: 4, concurrencyMax: 3 });
    sweep.start();
    await rig.pass(0);
    for (const accountId of accounts) assert.equal(rig.posted(accountId, 2).length, 1);
    assert.equal(sweep.counters.rounds, 3);
    assert.equal(rig.atATimeMax, 3);
    await rig.pass(999);
    assert.equal(sweep.counters.rounds, 3);
    await rig.pass(1);
    assert.equal(sweep.counters.rounds, 4);
    await sweep.stop();
  });

  it('posts everything once when two of them run', async () => {
    const rig = await started();
    const accounts = await Promise.all(Array.from({ length: 20 }, () => rig.holding(5, 6, 7)));
    await rig.pass(10_000);
    const sweeps = [rig.sweep(), rig.sweep()];
    for (const sweep of sweeps) sweep.start();
    await rig.pass(0);
    await rig.pass(1_000);
    for (const accountId of accounts) assert.equal(rig.posted(accountId, 4).length, 3);
    assert.equal(
      sweeps.reduce((sum, sweep) => sum + sweep.counters.postings, 0),
      60,
    );
    for (const sweep of sweeps) await sweep.stop();
  });

  it('pauses, longer each time, while the index cannot be read, and loses nothing', async () => {
    const rig = await started();
    const accountId = await rig.holding(10);
    await rig.pass(10_000);
    rig.onFind = async () => Promise.reject(new Error('away'));
    const sweep = rig.sweep();
    sweep.start();
    const rounds: number[] = [];
    for (const ms of [0, 1_000, 1_000, 1_000, 1_000, 3_000]) {
      await rig.pass(ms);
      rounds.push(sweep.counters.rounds);
    }
    assert.deepEqual(rounds, [1, 2, 2, 3, 3, 4]);
    assert.equal(sweep.counters.troubles, 4);
    rig.onFind = null;
    await rig.pass(8_000);
    assert.deepEqual(rig.posted(accountId, 2), ['release 10 by due 2']);
    await rig.pass(1_000);
    assert.equal(sweep.counters.rounds, 6, 'the pause is the usual one again');
    await sweep.stop();
  });

  for (const trouble of ['the state is away', 'the lane takes no commands'] as const) {
    it(`ends the round when ${trouble}, and goes on later under the same key`, async () => {
      const rig = await started();
      const accounts = await Promise.all(Array.from({ length: 9 }, () => rig.holding(10)));
      await rig.pass(10_000);
      const submit = rig.onSubmit;
      if (trouble === 'the state is away') rig.onRead = () => null;
      else rig.onSubmit = async () => ({ type: 'unavailable' });
      const sweep = rig.sweep({ concurrencyMax: 2 });
      sweep.start();
      await rig.pass(0);
      assert.equal(rig.reads, 2, 'the others are left alone');
      assert.deepEqual([sweep.counters.troubles, sweep.aside], [1, 0]);
      rig.onRead = null;
      rig.onSubmit = submit;
      await rig.pass(1_000);
      for (const accountId of accounts) assert.deepEqual(rig.posted(accountId, 2), ['release 10 by due 2']);
      await sweep.stop();
    });
  }

  for (const type of ['failed', 'overloaded', 'expired'] as const) {
    it(`sets an account aside whose command is ${type}: the others go on, and it is tried less and less often`, async () => {
      const rig = await started();
      const stuck = await Promise.all([rig.holding(1), rig.holding(1)]);
      const others = await Promise.all([rig.holding(2), rig.holding(2), rig.holding(2)]);
      await rig.pass(10_000);
      rig.onSubmit = async (request) =>
        stuck.includes(request.facts.accountId) ? { type } : rig.runtime.submit(request);
      const sweep = rig.sweep({ accountsMax: 2, asideMsMax: 4_000 });
      sweep.start();
      for (let second = 0; second < 5; second++) await rig.pass(1_000);
      for (const accountId of others) assert.equal(rig.posted(accountId, 2).length, 1);
      const triesBefore = rig.submits.length;
      for (let second = 0; second < 20; second++) await rig.pass(1_000);
      assert.equal(rig.submits.length - triesBefore, 10, 'each every four seconds');
      assert.equal(sweep.aside, 2);
      rig.onSubmit = (request) => rig.runtime.submit(request);
      for (let second = 0; second < 5; second++) await rig.pass(1_000);
      for (const accountId of stuck) assert.equal(rig.posted(accountId, 2).length, 1);
      assert.equal(sweep.aside, 0);
      await sweep.stop();
    });
  }

  it('leaves an account alone for a while that is due by the index, and not by its state', async () => {
    const rig = await started();
    const accountId = await rig.holding(1_000_000);
    rig.onFind = async () => [{ accountId, programId, dueAtMs: rig.nowMs }];
    const sweep = rig.sweep({ accountsMax: 1 });
    sweep.start();
    for (let second = 0; second < 60; second++) await rig.pass(1_000);
    assert.ok(rig.reads >= 5 && rig.reads <= 7, `${rig.reads} reads in a minute`);
    assert.deepEqual(rig.submits, []);
    rig.onFind = null;
    await rig.pass(1_000);
    assert.equal(sweep.aside, 0, 'it is forgotten when it is not due by the index either');
    await sweep.stop();
  });

  it('does not spin though it can set nobody aside', async () => {
    const rig = await started();
    await Promise.all([rig.holding(1), rig.holding(1)]);
    await rig.pass(10_000);
    rig.onSubmit = async () => ({ type: 'failed' });
    const sweep = rig.sweep({ accountsMax: 2, asideMax: 0 });
    sweep.start();
    for (let second = 0; second < 10; second++) await rig.pass(1_000);
    assert.equal(sweep.counters.rounds, 10);
    await sweep.stop();
  });

  it('takes a lost race calmly: what was due was captured meanwhile', async () => {
    const rig = await started();
    const accountId = await rig.holding(10);
    await rig.pass(10_000);
    rig.onSubmit = async (request) => {
      await rig.post(accountId, 'release', { kind: 'release', hold: 2, programId });
      return rig.runtime.submit(request);
    };
    const sweep = rig.sweep();
    sweep.start();
    for (let second = 0; second < 5; second++) await rig.pass(1_000);
    assert.equal(rig.submits.length, 1);
    assert.ok(rig.logged.includes('nothing was due any more'));
    assert.deepEqual(rig.posted(accountId, 2), ['release 10 by release']);
    await sweep.stop();
  });

  it('gets past the stored refusal that a clock going back has made', async () => {
    const rig = await started();
    const accountId = await rig.holding(10);
    await rig.pass(10_000);
    rig.onSubmit = async (request) => {
      rig.nowMs -= 5_000;
      const outcome = await rig.runtime.submit(request);
      rig.nowMs += 5_000;
      return outcome;
    };
    const sweep = rig.sweep();
    sweep.start();
    await rig.pass(0);
    assert.ok(rig.logged.includes('nothing was due any more'));
    rig.onSubmit = (request) => rig.runtime.submit(request);
    await rig.pass(1_000);
    await rig.pass(1_000);
    assert.deepEqual(rig.posted(accountId, 2), ['release 10 by due 2 1']);
    await sweep.stop();
    const restarted = rig.sweep();
    restarted.start();
    await rig.pass(1_000);
    assert.equal(restarted.counters.postings, 0);
    await restarted.stop();
  });

  it('says how late it is', async () => {
    const rig = await started();
    await rig.holding(10);
    await rig.pass(25_000);
    const sweep = rig.sweep();
    sweep.start();
    await rig.pass(0);
    assert.equal(sweep.counters.lateMs, 15_000);
    await rig.pass(1_000);
    assert.equal(sweep.counters.lateMs, 0);
    await sweep.stop();
  });

  it('stops: what is under way ends first, and nothing begins any more', async () => {
    const rig = await started();
    await Promise.all(Array.from({ length: 9 }, () => rig.holding(10)));
    await rig.pass(10_000);
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    rig.onSubmit = (request) => gate.then(() => rig.runtime.submit(request));
    const sweep = rig.sweep({ concurrencyMax: 2 });
    sweep.start();
    await rig.pass(0);
    let isStopped = false;
    const stopping = sweep.stop().then(() => {
      isStopped = true;
    });
    await rig.settle();
    assert.equal(isStopped, false);
    open();
    await stopping;
    assert.equal(rig.submits.length, 2);
    await rig.pass(60_000);
    assert.deepEqual([rig.submits.length, rig.finds.length], [2, 1]);
  });
});
