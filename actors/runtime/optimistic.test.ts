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
  const runtime = stage.runtime({ isOptimistic: true, optimismAfterKeys: AFTER_KEYS, ...limits });
  await runtime.start();
  const account = newAccountId();
  await runtime.submit(stage.request(account, 'earn', 10, 'warm'));
  return { stage, runtime, account };
}

const earn = ({ stage, runtime, account }: Warm, key: string, amount = 1): Promise<Outcome> =>
  runtime.submit(stage.request(account, 'earn', amount, key));

const keysOf = ({ stage, account }: Warm) =>
  stage.ledger.transactions(account).map(({ facts }) => facts.idempotencyKey as string);

const typesOf = (outcomes: readonly Outcome[]) => outcomes.map(({ type }) => type);

describe('an optimistic batch', () => {
  it('goes without a look-up of its keys, however many they are', async () => {
    const on = await warm();
    const keys = Array.from({ length: 100 }, (_, n) => `key ${n}`);
    const outcomes = await Promise.all(keys.map((key) => earn(on, key)));
    assert.deepEqual(new Set(typesOf(outcomes)), new Set(['posted']));
    const { lookUpStatements, counters } = on.runtime.status;
    assert.deepEqual([on.stage.keysAsked, lookUpStatements], [0, 1], 'the one that loaded the account');
    assert.deepEqual([counters.optimisticBatches, counters.commands], [counters.batches, 101]);
    assert.deepEqual(keysOf(on), ['warm', ...keys]);
  });

  it('takes no request of several parts', async () => {
    const on = await warm();
    const { stage, runtime, account } = on;
    const before = runtime.status.counters.optimisticBatches;
    const group = [
      ['earn', 1],
      ['burn', 1],
    ] as const;
    assert.equal((await runtime.submit(stage.group(account, group, 'group'))).type, 'posted');
    assert.deepEqual([runtime.status.counters.optimisticBatches - before, stage.keysAsked], [0, 2]);
  });

  it('follows another one that is in the air, and shares its fate where that was mistaken', async () => {
    const on = await warm({ overlapCommandsMin: 1 });
    const { stage, runtime } = on;
    const used = await earn(on, 'used', 5);
    stage.hold('writes');
    const first = [earn(on, 'used', 5), earn(on, 'a')];
    await stage.settle();
    const second = [earn(on, 'b'), earn(on, 'c')];
    await stage.settle();
    const commits = stage.commits;
    stage.release();
    const outcomes = await Promise.all([...first, ...second]);
    const [again] = outcomes;
    assert.ok(used.type === 'posted' && again?.type === 'posted' && again.replayed);
    assert.equal(again.transactionId, used.transactionId);
    assert.deepEqual(typesOf(outcomes), ['posted', 'posted', 'posted', 'posted']);
    assert.deepEqual(keysOf(on), ['warm', 'used', 'a', 'b', 'c']);
    assert.equal(runtime.status.counters.optimisticRefused, 1);
    assert.equal(stage.commits - commits, 3, 'both were in the air, and went again as one');
    assert.equal(stage.keysAsked, 4);
    stage.assertChained(on.account);
  });

  it('I3: with a key that was used is refused, looked up, and answered as the first time', async () => {
    const on = await warm();
    const { stage, runtime, account } = on;
    const first = await earn(on, 'k', 5);
    const refused = await runtime.submit(stage.request(account, 'burn', 500, 'r'));
    assert.deepEqual([first.type, refused.type], ['posted', 'refused']);
    const [again, fresh] = await Promise.all([earn(on, 'k', 5), earn(on, 'beside it')]);
    assert.ok(first.type === 'posted' && again?.type === 'posted' && again.replayed);
    assert.equal(again.transactionId, first.transactionId);
    assert.ok(fresh?.type === 'posted' && !fresh.replayed);
    assert.equal(runtime.status.counters.optimisticRefused, 1);
    for (let key = 0; key < 2 * AFTER_KEYS; key++) await earn(on, `looked up ${key}`);
    const still = await runtime.submit(stage.request(account, 'burn', 500, 'r'));
    assert.ok(still.type === 'refused' && still.replayed, 'a refusal is found in its own table');
    assert.equal(runtime.status.counters.optimisticRefused, 2);
    for (let key = 0; key < AFTER_KEYS; key++) await earn(on, `looked up again ${key}`);
    assert.equal((await earn(on, 'k', 6)).type, 'key_reused');
    assert.equal(runtime.status.counters.optimisticRefused, 3);
    for (let key = 0; key < AFTER_KEYS; key++) await earn(on, `and again ${key}`);
    assert.equal((await earn(on, 'r', 1)).type, 'key_reused', 'whatever it asks for now');
    for (let key = 0; key < AFTER_KEYS; key++) await earn(on, `once more ${key}`);
    const broke = await runtime.submit(stage.request(account, 'burn', 500, 'k'));
    assert.equal(broke.type, 'key_reused', 'a key of a transaction, for what is refused');
    assert.equal(runtime.status.counters.optimisticRefused, 5);
    assert.equal(new Set(keysOf(on)).size, keysOf(on).length);
  });

  it('that was mistaken has the next keys looked up: as many for each of its commands', async () => {
    const on = await warm();
    await earn(on, 'k');
    await Promise.all([earn(on, 'k'), earn(on, 'beside it')]);
    const asked = on.stage.keysAsked;
    for (let count = 0; count < 2 * AFTER_KEYS; count++) await earn(on, `looked up ${count}`);
    assert.equal(on.stage.keysAsked - asked, 2 * AFTER_KEYS);
    await earn(on, 'optimistic again');
    assert.equal(on.stage.keysAsked - asked, 2 * AFTER_KEYS);
  });

  it('waits for that many keys of which none was used', async () => {
    const on = await warm();
    await earn(on, 'k');
    await earn(on, 'k');
    for (let count = 1; count < AFTER_KEYS; count++) await earn(on, `new ${count}`);
    assert.equal((await earn(on, 'k')).type, 'posted');
    assert.equal(on.runtime.status.counters.optimisticRefused, 1, 'it was looked up');
    const asked = on.stage.keysAsked;
    for (let count = 0; count < AFTER_KEYS; count++) await earn(on, `new again ${count}`);
    assert.equal(on.stage.keysAsked - asked, AFTER_KEYS);
    await earn(on, 'optimistic again');
    assert.equal(on.stage.keysAsked - asked, AFTER_KEYS);
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
    assert.deepEqual(typesOf(outcomes), ['posted', 'failed', 'posted']);
    assert.deepEqual(keysOf(on), ['warm', 'a', 'b']);
  });

  it('I7: of one who is superseded writes nothing', async () => {
    const on = await warm();
    await on.stage.ledger.connect().claim(1);
    assert.equal((await earn(on, 'late')).type, 'unavailable');
    assert.deepEqual([on.runtime.status.lane, keysOf(on)], ['superseded', ['warm']]);
  });
});
