import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { IdempotencyKey } from '@local-plus/contracts';
import { type Outcome, openedAccount, StoreFailure } from '../index.ts';
import { newAccountId, Stage } from '../test/stage.ts';
import type { Runtime } from './runtime.ts';

async function started(stage: Stage, limits = {}): Promise<Runtime> {
  const runtime = stage.runtime(limits);
  await runtime.start();
  return runtime;
}

/** The outcome if it is there already, else null. */
function watch(promise: Promise<Outcome>): { outcome: Outcome | null } {
  const watched: { outcome: Outcome | null } = { outcome: null };
  promise.then((outcome) => {
    watched.outcome = outcome;
  });
  return watched;
}

const typeOf = (watched: { outcome: Outcome | null }) => watched.outcome?.type ?? 'waits';
const types = (outcomes: readonly Outcome[]) => outcomes.map((outcome) => outcome.type);

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

describe('the runtime, when the store is in trouble', () => {
  for (const fault of ['lost before', 'lost after'] as const) {
    it(`W5: a commit ${fault}: resolved by sending it again; applied once, answered once`, async () => {
      const stage = new Stage();
      const runtime = await started(stage);
      const account = newAccountId();
      await runtime.submit(stage.request(account, 'earn', 1, 'warm'));
      stage.faults = ['none', fault];
      const watched = watch(runtime.submit(stage.request(account, 'earn', 2, 'k')));
      await stage.settle();
      assert.ok(watched.outcome?.type === 'posted' && !watched.outcome.replayed);
      assert.equal(stage.ledger.transactions(account).length, 2);
      assert.deepEqual(
        stage.announced.map(({ batch }) => batch),
        [1, 2],
      );
      assert.equal(runtime.status.lane, 'running');
      assert.equal((await runtime.submit(stage.request(account, 'burn', 3, 'after'))).type, 'posted');
    });
  }

  it('W5: while the outcome is unknown nothing is accepted or shown; then everything goes on', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const account = newAccountId();
    await runtime.submit(stage.request(account, 'earn', 1, 'warm'));
    stage.faults = ['none', 'lost after', 'lost before', 'lost before'];
    const watched = watch(runtime.submit(stage.request(account, 'earn', 2, 'k')));
    await stage.settle();
    assert.equal(runtime.status.lane, 'frozen');
    assert.equal((await runtime.submit(stage.request(account, 'earn', 2, 'late'))).type, 'unavailable');
    assert.equal(await runtime.read(account), null);
    assert.equal(typeOf(watched), 'waits');
    await stage.pass(50);
    await stage.pass(100);
    assert.equal(runtime.status.lane, 'running');
    assert.equal(typeOf(watched), 'posted');
    assert.equal((await runtime.read(account))?.balance, 3);
  });

  it('a lost look-up is answered as unavailable, and nothing happened', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const account = newAccountId();
    stage.faults = ['lost after'];
    assert.equal((await runtime.submit(stage.request(account, 'earn', 1, 'k'))).type, 'unavailable');
    await stage.settle();
    assert.equal(runtime.status.lane, 'running');
    const again = await runtime.submit(stage.request(account, 'earn', 1, 'k'));
    assert.ok(again.type === 'posted' && !again.replayed);
    assert.equal(runtime.status.pending, 0);
  });

  it('I7: a superseded writer answers nothing as done, writes nothing, and says so', async () => {
    const stage = new Stage();
    const zombie = await started(stage);
    const account = newAccountId();
    await zombie.submit(stage.request(account, 'earn', 1, 'a'));
    const successor = await started(stage);
    assert.equal((await zombie.submit(stage.request(account, 'earn', 2, 'b'))).type, 'unavailable');
    assert.equal(zombie.status.lane, 'superseded');
    assert.equal(stage.supersededCalls, 1);
    assert.equal(await zombie.read(account), null);
    const outcome = await successor.submit(stage.request(account, 'earn', 2, 'b'));
    assert.ok(outcome.type === 'posted' && !outcome.replayed && outcome.row.posting.version === 2);
  });

  it('W6: of a refused batch only the culprit fails, the others keep their order', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    stage.poison = 'poison' as IdempotencyKey;
    const account = newAccountId();
    const others = Array.from({ length: 60 }, newAccountId);
    const outcomes = await Promise.all([
      runtime.submit(stage.request(account, 'earn', 10, 'a')),
      runtime.submit(stage.request(account, 'earn', 5, 'poison')),
      runtime.submit(stage.request(account, 'burn', 10, 'c')),
      runtime.submit(stage.request(account, 'burn', 1, 'd')),
      ...others.map((id) => runtime.submit(stage.request(id, 'earn', 1, 'k'))),
    ]);
    assert.deepEqual(types(outcomes.slice(0, 4)), ['posted', 'failed', 'posted', 'refused']);
    assert.ok(outcomes.slice(4).every((outcome) => outcome.type === 'posted'));
    assert.deepEqual(
      stage.ledger.transactions(account).map((row) => row.facts.idempotencyKey as string),
      ['a', 'c'],
    );
    assert.equal((await runtime.read(account))?.balance, 0);
    assert.equal(runtime.status.pending, 0);
  });

  it('a command past its deadline never executes', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const account = newAccountId();
    stage.hold();
    const watched = watch(runtime.submit(stage.request(account, 'earn', 1, 'k')));
    await stage.settle();
    await stage.pass(10_001);
    assert.equal(watched.outcome?.type, 'expired');
    stage.release();
    await stage.settle();
    assert.equal(stage.ledger.transactions(account).length, 0);
    const later = await runtime.submit(stage.request(account, 'earn', 1, 'k'));
    assert.ok(later.type === 'posted' && !later.replayed);
  });

  it('I3: a command whose deadline passes while its batch flies is unavailable, and a retry finds the outcome', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const account = newAccountId();
    await runtime.submit(stage.request(account, 'earn', 1, 'warm'));
    stage.faults = ['none', 'lost after', ...Array.from({ length: 5 }, () => 'lost before' as const)];
    const watched = watch(runtime.submit(stage.request(account, 'earn', 2, 'k')));
    await stage.settle();
    await stage.pass(10_001);
    assert.equal(watched.outcome?.type, 'unavailable');
    for (let turn = 0; turn < 10; turn++) await stage.pass(1_000);
    assert.equal(runtime.status.lane, 'running');
    const retry = await runtime.submit(stage.request(account, 'earn', 2, 'k'));
    assert.ok(retry.type === 'posted' && retry.replayed);
    assert.equal(stage.ledger.transactions(account).length, 2);
  });

  it('claims the writer however often it has to try', async () => {
    const stage = new Stage();
    stage.faults = ['lost before', 'lost before', 'lost before'];
    const runtime = stage.runtime();
    let running = false;
    const start = runtime.start().then(() => {
      running = true;
    });
    await stage.settle();
    assert.equal(running, false);
    assert.equal((await runtime.submit(stage.request(newAccountId(), 'earn', 1, 'k'))).type, 'unavailable');
    for (let turn = 0; turn < 4; turn++) await stage.pass(1_000);
    await start;
    assert.equal((await runtime.submit(stage.request(newAccountId(), 'earn', 1, 'k'))).type, 'posted');
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
    const limits = { actorsMax: 10, pendingMax: 10, mailboxMax: 10 };
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
