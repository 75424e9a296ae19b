/** A store that loses, refuses and answers late: nothing is lost, doubled or shown too early. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { IdempotencyKey } from '@local-plus/contracts';
import { newAccountId, Stage } from '../test/stage.ts';
import { started, typeOf, types, watch } from '../test/watch.ts';

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
