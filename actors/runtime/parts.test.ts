/** Requests of several parts: all of them or none, whatever happens to the batch that carries them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AccountId, IdempotencyKey } from '@local-plus/contracts';
import { newAccountId, Stage } from '../test/stage.ts';
import { started, types } from '../test/watch.ts';
import type { Runtime } from './runtime.ts';

const balanceOf = async (runtime: Runtime, account: AccountId) => (await runtime.read(account))?.balance;

describe('a request of several parts', () => {
  it('moves points between two accounts, one loaded, one cold: both rows in one batch', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const [from, to] = [newAccountId(), newAccountId()];
    await runtime.submit(stage.request(from, 'earn', 10, 'warm'));
    const outcome = await runtime.submit(stage.transfer(from, to, 4, 'move'));
    assert.ok(outcome.type === 'posted');
    assert.equal(outcome.row.posting.kind, 'transfer_out');
    assert.deepEqual(
      outcome.also.map(({ row }) => [row.facts.accountId, row.posting.kind, row.posting.balanceAfter]),
      [[to, 'transfer_in', 4]],
    );
    assert.equal(stage.announced.at(-1)?.posted.length, 2);
    assert.deepEqual([await balanceOf(runtime, from), await balanceOf(runtime, to)], [6, 4]);
  });

  it('a refusal of any part undoes all, and is the answer of the same key ever after', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const account = newAccountId();
    await runtime.submit(stage.request(account, 'earn', 10, 'warm'));
    const ask = () =>
      runtime.submit(
        stage.group(
          account,
          [
            ['earn', 5],
            ['burn', 12],
            ['burn', 4],
          ],
          'g',
        ),
      );
    const [group, burn] = await Promise.all([ask(), runtime.submit(stage.request(account, 'burn', 10, 'next'))]);
    assert.ok(group?.type === 'refused' && !group.replayed);
    assert.deepEqual([group.row.part, group.row.code, group.row.balance], [2, 'insufficient_funds', 3]);
    assert.equal(burn?.type, 'posted', 'decided on what was there before the group');
    const again = await ask();
    assert.ok(again.type === 'refused' && again.replayed);
    assert.equal(again.row.part, 2);
    assert.equal(stage.ledger.transactions(account).length, 2);
  });

  it('a group is posted whole, in its order, and replayed by its first key', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const account = newAccountId();
    const ask = () =>
      runtime.submit(
        stage.group(
          account,
          [
            ['earn', 5],
            ['burn', 2],
            ['earn', 1],
          ],
          'g',
        ),
      );
    const [first, follower] = await Promise.all([ask(), ask()]);
    assert.ok(first?.type === 'posted' && follower?.type === 'posted');
    assert.deepEqual(
      [first, ...first.also].map(({ row }) => row.posting.balanceAfter),
      [5, 3, 4],
    );
    assert.ok(follower.replayed && follower.also.length === 0);
    const again = await ask();
    assert.ok(again.type === 'posted' && again.replayed && again.transactionId === first.transactionId);
    assert.equal(stage.ledger.transactions(account).length, 3);
  });

  it('opposite transfers, 10,000 at once, in small batches: nothing is lost and nobody waits for ever', async () => {
    const stage = new Stage();
    const runtime = await started(stage, {
      batchCommandsMax: 70,
      turnCommandsMax: 30,
      overlapCommandsMin: 1,
      mailboxMax: 10_000,
    });
    const [one, two] = [newAccountId(), newAccountId()];
    await runtime.submit(stage.request(one, 'earn', 100, 'a'));
    await runtime.submit(stage.request(two, 'earn', 100, 'b'));
    const outcomes = await Promise.all(
      Array.from({ length: 10_000 }, (_, number) =>
        runtime.submit(
          number % 2 ? stage.transfer(one, two, 7, `t${number}`) : stage.transfer(two, one, 5, `t${number}`),
        ),
      ),
    );
    assert.ok(outcomes.every(({ type }) => type === 'posted' || type === 'refused'));
    assert.equal(((await balanceOf(runtime, one)) ?? 0) + ((await balanceOf(runtime, two)) ?? 0), 200);
    assert.equal(runtime.status.pending, 0);
  });

  for (const fault of ['lost before', 'lost after'] as const) {
    it(`is applied once, whole, when its batch is ${fault}`, async () => {
      const stage = new Stage();
      const runtime = await started(stage);
      const [from, to] = [newAccountId(), newAccountId()];
      await runtime.submit(stage.request(from, 'earn', 10, 'warm'));
      await runtime.submit(stage.request(to, 'earn', 1, 'warm'));
      stage.faults = ['none', fault];
      assert.equal((await runtime.submit(stage.transfer(from, to, 4, 'move'))).type, 'posted');
      assert.deepEqual([await balanceOf(runtime, from), await balanceOf(runtime, to)], [6, 5]);
    });
  }

  it('W6: goes back whole when the store refuses its batch, and only the culprit fails', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    stage.poison = 'poison' as IdempotencyKey;
    const [from, to] = [newAccountId(), newAccountId()];
    const outcomes = await Promise.all([
      runtime.submit(stage.request(from, 'earn', 10, 'a')),
      runtime.submit(stage.transfer(from, to, 4, 'poison')),
      runtime.submit(stage.transfer(from, to, 5, 'c')),
    ]);
    assert.deepEqual(types(outcomes), ['posted', 'failed', 'posted']);
    assert.deepEqual([await balanceOf(runtime, from), await balanceOf(runtime, to)], [5, 5]);
  });

  it('waits for the other account to be loaded; when that fails nothing happened, and nothing is left behind', async () => {
    const stage = new Stage();
    const runtime = await started(stage, { actorsMax: 3, actorsRecentMax: 3, pendingMax: 3, mailboxMax: 3 });
    const [from, to] = [newAccountId(), newAccountId()];
    await runtime.submit(stage.request(from, 'earn', 10, 'warm'));
    stage.faults = ['lost before'];
    assert.equal((await runtime.submit(stage.transfer(from, to, 4, 'move'))).type, 'unavailable');
    await stage.settle();
    assert.equal((await runtime.submit(stage.transfer(from, to, 4, 'move'))).type, 'posted');
    for (let number = 0; number < 20; number++) {
      assert.equal(
        (await runtime.submit(stage.transfer(from, newAccountId(), 1, `t${number}`))).type,
        number < 6 ? 'posted' : 'refused',
      );
    }
    assert.ok(runtime.status.actorsEvicted > 10, 'accounts of settled requests make room');
  });

  it('passes over a request that expired while the other account was being loaded', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const [from, to] = [newAccountId(), newAccountId()];
    await runtime.submit(stage.request(from, 'earn', 10, 'warm'));
    stage.hold();
    const expired = runtime.submit({ ...stage.transfer(from, to, 4, 'late'), deadlineMs: stage.monotonicMs + 100 });
    const burn = runtime.submit(stage.request(from, 'burn', 10, 'burn'));
    await stage.pass(300);
    assert.equal((await expired).type, 'expired');
    stage.release();
    assert.equal((await burn).type, 'posted');
    assert.equal(await balanceOf(runtime, to), 0);
  });

  it("I3: a further part's key belongs to one request only, whoever comes first", async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    const account = newAccountId();
    const group = () =>
      runtime.submit(
        stage.group(
          account,
          [
            ['earn', 5],
            ['earn', 1],
          ],
          'g',
        ),
      );
    const single = (key: string) => runtime.submit(stage.request(account, 'burn', 100, key));
    const [first, follower] = await Promise.all([group(), single('group g 1')]);
    assert.deepEqual([first?.type, follower?.type], ['posted', 'key_reused'], 'the group was there first');
    assert.equal((await single('group g 1')).type, 'key_reused', 'and is in the ledger');

    const poor = newAccountId();
    const [refusedGroup, again] = await Promise.all([
      runtime.submit(
        stage.group(
          poor,
          [
            ['burn', 5],
            ['earn', 1],
          ],
          'g',
        ),
      ),
      runtime.submit(stage.request(poor, 'earn', 1, 'group g 1')),
    ]);
    assert.deepEqual([refusedGroup?.type, again?.type], ['refused', 'overloaded'], 'the key is nobody else now');
    assert.equal((await runtime.submit(stage.request(poor, 'earn', 1, 'group g 1'))).type, 'posted');

    const other = newAccountId();
    const late = () =>
      runtime.submit(
        stage.group(
          other,
          [
            ['earn', 5],
            ['earn', 1],
          ],
          'g',
        ),
      );
    const [refused, group2] = await Promise.all([
      runtime.submit(stage.request(other, 'burn', 100, 'group g 1')),
      late(),
    ]);
    assert.deepEqual([refused?.type, group2?.type], ['refused', 'overloaded'], 'the single one is on the way');
    assert.equal((await late()).type, 'key_reused', 'its refusal is in the ledger');
    assert.equal(stage.ledger.transactions(other).length, 0);
    assert.equal(runtime.status.pending, 0);
  });

  it('I2: the chain of each account links row to row, also across a batch that went back', async () => {
    const stage = new Stage();
    const runtime = await started(stage);
    stage.poison = 'poison' as IdempotencyKey;
    const account = newAccountId();
    await Promise.all([
      runtime.submit(stage.request(account, 'earn', 10, 'a')),
      runtime.submit(stage.request(account, 'earn', 10, 'poison')),
      runtime.submit(stage.request(account, 'burn', 4, 'c')),
    ]);
    await runtime.submit(stage.request(account, 'burn', 4, 'd'));
    stage.assertChained(account);
    assert.equal(stage.ledger.transactions(account).length, 3);
  });
});
