/** W3 without look-ups: what an optimistic batch saves, and that it loses and doubles nothing where it was mistaken. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AccountId, IdempotencyKey } from '@local-plus/contracts';
import type { Outcome } from '../index.ts';
import { newAccountId, Stage } from '../test/stage.ts';
import type { RuntimeLimits } from './limits.ts';
import type { Runtime } from './runtime.ts';

const AFTER_KEYS = 3;

interface Warm {
  readonly stage: Stage;
  readonly runtime: Runtime;
  /** In memory, with ten points. */
  readonly account: AccountId;
}

async function warm(limits: Partial<RuntimeLimits> = {}): Promise<Warm> {
  const stage = new Stage();
  const runtime = stage.runtime({ optimisticKeysMax: 4, optimismAfterKeys: AFTER_KEYS, ...limits });
  await runtime.start();
  const account = newAccountId();
  await runtime.submit(stage.request(account, 'earn', 10, 'warm'));
  return { stage, runtime, account };
}

const earn = ({ stage, runtime, account }: Warm, key: string, amount = 1): Promise<Outcome> =>
  runtime.submit(stage.request(account, 'earn', amount, key));

const keysOf = ({ stage, account }: Warm) =>
  stage.ledger.transactions(account).map(({ facts }) => facts.idempotencyKey as string);

describe('an optimistic batch', () => {
  it('goes without a look-up, where the account is in memory and nothing is in the air', async () => {
    const on = await warm();
    const before = on.runtime.status.lookUpStatements;
    for (const key of ['a', 'b', 'c']) assert.equal((await earn(on, key)).type, 'posted');
    const { lookUpStatements, counters } = on.runtime.status;
    assert.deepEqual([lookUpStatements - before, counters.optimisticBatches], [0, 3]);
    assert.deepEqual(keysOf(on), ['warm', 'a', 'b', 'c']);
  });

  it('takes no cold account, no request of several parts, and nobody while one is in the air', async () => {
    const on = await warm();
    const { stage, runtime, account } = on;
    const optimists = () => runtime.status.counters.optimisticBatches;
    await runtime.submit(stage.request(newAccountId(), 'earn', 1, 'cold'));
    await runtime.submit(
      stage.group(
        account,
        [
          ['earn', 1],
          ['burn', 1],
        ],
        'group',
      ),
    );
    assert.equal(optimists(), 0);
    stage.hold('writes');
    const first = earn(on, 'first');
    await stage.settle();
    const second = earn(on, 'second');
    await stage.settle();
    stage.release();
    assert.deepEqual([(await first).type, (await second).type], ['posted', 'posted']);
    assert.equal(optimists(), 1, 'the second one was looked up meanwhile');
  });

  it('takes nobody where more wait than it may have', async () => {
    const on = await warm();
    const before = on.runtime.status.lookUpStatements;
    await Promise.all(['a', 'b', 'c', 'd', 'e'].map((key) => earn(on, key)));
    assert.deepEqual(
      [on.runtime.status.lookUpStatements - before, on.runtime.status.counters.optimisticBatches],
      [1, 0],
    );
  });

  it('takes nobody after a large batch, until a small one shows that there is little to do', async () => {
    const on = await warm({ optimisticKeysMax: 2 });
    const optimists = () => on.runtime.status.counters.optimisticBatches;
    await Promise.all(['a', 'b', 'c'].map((key) => earn(on, key)));
    await earn(on, 'alone');
    assert.equal(optimists(), 0);
    await earn(on, 'alone again');
    assert.equal(optimists(), 1);
  });

  it('I3: with a key that was used is refused, looked up, and answered as the first time', async () => {
    const on = await warm();
    const { stage, runtime, account } = on;
    const first = await earn(on, 'k', 5);
    const refused = await runtime.submit(stage.request(account, 'burn', 500, 'r'));
    assert.deepEqual([first.type, refused.type], ['posted', 'refused']);
    for (const key of ['x', 'y', 'z']) await earn(on, key);
    const [again, fresh] = await Promise.all([earn(on, 'k', 5), earn(on, 'beside it')]);
    assert.ok(first.type === 'posted' && again?.type === 'posted' && again.replayed);
    assert.equal(again.transactionId, first.transactionId);
    assert.ok(fresh?.type === 'posted' && !fresh.replayed);
    assert.equal(runtime.status.counters.optimisticRefused, 1);
    for (const key of ['s', 't', 'u']) await earn(on, key);
    const still = await runtime.submit(stage.request(account, 'burn', 500, 'r'));
    assert.ok(still.type === 'refused' && still.replayed, 'a refusal is found in its own table');
    assert.equal(runtime.status.counters.optimisticRefused, 2);
    for (const key of ['v', 'w', 'q']) await earn(on, key);
    assert.equal((await earn(on, 'k', 6)).type, 'key_reused');
    assert.equal((await earn(on, 'r', 1)).type, 'key_reused', 'whatever it asks for now');
    assert.equal(new Set(keysOf(on)).size, keysOf(on).length);
  });

  it('that was mistaken has the next keys looked up', async () => {
    const on = await warm();
    await earn(on, 'k');
    await earn(on, 'k');
    const before = on.runtime.status;
    for (let count = 0; count < AFTER_KEYS; count++) await earn(on, `looked up ${count}`);
    const after = on.runtime.status;
    assert.equal(after.lookUpStatements - before.lookUpStatements, AFTER_KEYS - 1, 'the mistaken one was the first');
    await earn(on, 'optimistic again');
    assert.equal(on.runtime.status.lookUpStatements, after.lookUpStatements);
  });

  for (const fault of ['lost before', 'lost after', 'ghost'] as const) {
    it(`W5: ${fault}, is sent again and applied once, though it finds its own keys`, async () => {
      const on = await warm();
      const { stage, runtime } = on;
      stage.faults = [fault];
      const asked = earn(on, 'k', 5);
      await stage.settle();
      await stage.pass(50);
      const outcome = await asked;
      assert.ok(outcome.type === 'posted' && !outcome.replayed);
      for (const ghost of await stage.haunt()) assert.deepEqual(ghost, { status: 'fulfilled', value: false });
      assert.deepEqual(keysOf(on), ['warm', 'k']);
      assert.deepEqual([runtime.status.lane, runtime.status.epoch], ['running', 1]);
      assert.equal((await runtime.read(on.account))?.balance, 15);
    });

    it(`W7: mistaken and ${fault}, is known not to be applied before anything else is decided`, async () => {
      const on = await warm();
      const { stage, runtime, account } = on;
      const first = await earn(on, 'k', 5);
      stage.faults = [fault];
      const asked = earn(on, 'k', 5);
      await stage.settle();
      await stage.pass(50);
      const outcome = await asked;
      assert.ok(first.type === 'posted' && outcome.type === 'posted' && outcome.replayed);
      const before = keysOf(on);
      for (const ghost of await stage.haunt()) assert.deepEqual(ghost, { status: 'fulfilled', value: false });
      assert.deepEqual(keysOf(on), before);
      assert.equal((await runtime.submit(stage.request(account, 'burn', 15, 'all'))).type, 'posted');
    });
  }

  it('W6: with a row that cannot be: it alone fails, once its key is known to be new', async () => {
    const on = await warm();
    on.stage.poison = 'poison' as IdempotencyKey;
    const outcomes = await Promise.all(['a', 'poison', 'b'].map((key) => earn(on, key)));
    assert.deepEqual(
      outcomes.map(({ type }) => type),
      ['posted', 'failed', 'posted'],
    );
    assert.deepEqual(keysOf(on), ['warm', 'a', 'b']);
  });

  it('I7: of one who is superseded writes nothing', async () => {
    const on = await warm();
    await on.stage.ledger.connect().claim(1);
    assert.equal((await earn(on, 'late')).type, 'unavailable');
    assert.deepEqual([on.runtime.status.lane, keysOf(on)], ['superseded', ['warm']]);
  });
});
