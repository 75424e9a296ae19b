/** Batches that overlap on their way: what follows whom, and what becomes of the second when the first is refused or lost. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { IdempotencyKey } from '@local-plus/contracts';
import { openedAccount } from '../index.ts';
import { newAccountId, Stage } from '../test/stage.ts';
import { started, typeOf, watch } from '../test/watch.ts';

describe('two batches in the air', () => {
  const overlapping = { flightsMax: 2, overlapCommandsMin: 1 };

  /** An account with 10, and two commands of it in the air, each in a batch of its own: `first`, then a burn of 13. */
  async function twoInTheAir(first = 'first') {
    const stage = new Stage();
    const runtime = await started(stage, overlapping);
    const account = newAccountId();
    await runtime.submit(stage.request(account, 'earn', 10, 'warm'));
    stage.hold('writes');
    const earn = watch(runtime.submit(stage.request(account, 'earn', 5, first)));
    await stage.settle();
    const burn = watch(runtime.submit(stage.request(account, 'burn', 13, 'second')));
    await stage.settle();
    const third = watch(runtime.submit(stage.request(account, 'earn', 1, 'third')));
    await stage.settle();
    return { stage, runtime, account, earn, burn, third };
  }

  const keysOf = (stage: Stage, account: ReturnType<typeof newAccountId>) =>
    stage.ledger.transactions(account).map((row) => row.facts.idempotencyKey as string);

  it('W1: the second follows without a reply to the first, a third does not', async () => {
    const { stage, runtime, account, earn, burn, third } = await twoInTheAir();
    assert.equal(stage.commits, 1, 'only the first command of the account is on disk');
    assert.equal((await runtime.read(account))?.balance, 10);
    stage.release();
    await stage.settle();
    assert.deepEqual([earn, burn, third].map(typeOf), ['posted', 'posted', 'posted']);
    assert.deepEqual(stage.commandsPerBatch, [1, 1, 1, 1]);
    assert.deepEqual(
      stage.announced.map(({ batch }) => batch),
      [1, 2, 3, 4],
    );
    assert.deepEqual(await runtime.read(account), { ...openedAccount, version: 4, balance: 3, lastAtMs: stage.nowMs });
  });

  it('W1: a few commands wait for the reply instead', async () => {
    const stage = new Stage();
    const runtime = await started(stage, { flightsMax: 2, overlapCommandsMin: 3 });
    stage.hold('writes');
    const asked = [];
    for (let number = 0; number < 3; number++) {
      asked.push(watch(runtime.submit(stage.request(newAccountId(), 'earn', 1, 'k'))));
      await stage.settle();
    }
    stage.release();
    await stage.settle();
    assert.deepEqual(asked.map(typeOf), ['posted', 'posted', 'posted']);
    assert.deepEqual(stage.commandsPerBatch, [1, 2]);
  });

  const fates = ['none', 'lost before', 'lost after', 'ghost'] as const;
  for (const first of fates) {
    for (const second of fates) {
      it(`W5: the first one ${first}, the second one ${second}: each applied once, in order`, async () => {
        const { stage, runtime, account, earn, burn } = await twoInTheAir();
        stage.faults = [first, second];
        stage.release();
        await stage.settle();
        await stage.pass(50);
        assert.equal(typeOf(earn), 'posted');
        assert.equal(typeOf(burn), 'posted');
        for (const ghost of await stage.haunt()) assert.deepEqual(ghost, { status: 'fulfilled', value: false });
        assert.deepEqual(keysOf(stage, account).slice(0, 3), ['warm', 'first', 'second']);
        assert.equal((await runtime.submit(stage.request(account, 'burn', 2, 'after'))).type, 'posted');
        assert.equal(runtime.status.epoch, 1);
        assert.equal(runtime.status.pending, 0);
      });
    }
  }

  it('W6: when the first is refused, the second is decided again, without it', async () => {
    const { stage, runtime, account, earn, burn, third } = await twoInTheAir('poison');
    stage.poison = 'poison' as IdempotencyKey;
    stage.release();
    await stage.settle();
    assert.deepEqual([earn, burn, third].map(typeOf), ['failed', 'refused', 'posted']);
    assert.deepEqual(keysOf(stage, account), ['warm', 'third']);
    assert.equal(runtime.status.epoch, 1, 'both replies were heard: nothing of ours is on its way');
  });

  for (const second of ['lost before', 'ghost'] as const) {
    it(`W7: when the first is refused and the second ${second}, the epoch is raised before anything else`, async () => {
      const { stage, runtime, account, earn, burn } = await twoInTheAir('poison');
      stage.poison = 'poison' as IdempotencyKey;
      stage.faults = ['none', second];
      stage.release();
      await stage.settle();
      assert.deepEqual([earn, burn].map(typeOf), ['failed', 'refused']);
      assert.equal(runtime.status.epoch, 2);
      const before = keysOf(stage, account);
      for (const ghost of await stage.haunt()) assert.deepEqual(ghost, { status: 'fulfilled', value: false });
      assert.deepEqual(keysOf(stage, account), before);
      assert.equal((await runtime.submit(stage.request(account, 'burn', 10, 'after'))).type, 'posted');
    });
  }

  it('W7: the first unknown, then refused: its lost successor cannot follow what is decided instead', async () => {
    const { stage, runtime, account, earn, burn, third } = await twoInTheAir('poison');
    stage.poison = 'poison' as IdempotencyKey;
    stage.faults = ['lost before', 'ghost'];
    stage.release();
    await stage.settle();
    await stage.pass(50);
    assert.deepEqual([earn, burn].map(typeOf), ['failed', 'refused']);
    assert.equal(typeOf(third), 'unavailable', 'undecided when the lane froze');
    for (const ghost of await stage.haunt()) assert.deepEqual(ghost, { status: 'fulfilled', value: false });
    assert.equal((await runtime.submit(stage.request(account, 'burn', 10, 'instead'))).type, 'posted');
    assert.deepEqual(keysOf(stage, account), ['warm', 'instead']);
  });

  it('I7: superseded meanwhile: neither is written, both are told that nobody knows', async () => {
    const { stage, runtime, account, earn, burn } = await twoInTheAir();
    assert.equal((await stage.ledger.connect().claim(1)).epoch, 2);
    stage.release();
    await stage.settle();
    assert.deepEqual([earn, burn].map(typeOf), ['unavailable', 'unavailable']);
    assert.equal(runtime.status.lane, 'superseded');
    assert.deepEqual(keysOf(stage, account), ['warm']);
  });

  it('I7: a raise that finds another holder gives the writer up', async () => {
    const { stage, runtime, earn, burn } = await twoInTheAir('poison');
    stage.poison = 'poison' as IdempotencyKey;
    stage.faults = ['none', 'lost before', 'none'];
    const ledger = stage.ledger.connect();
    let refusals = 0;
    stage.onRefusal = () => {
      refusals++;
      if (refusals === 2) void ledger.claim(1);
    };
    stage.release();
    await stage.settle();
    assert.deepEqual([earn, burn].map(typeOf), ['unavailable', 'unavailable']);
    assert.equal(runtime.status.lane, 'superseded');
    assert.equal((await ledger.position(1)).epoch, 2, 'the other holder keeps it');
  });
});
