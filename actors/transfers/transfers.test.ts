/** Transfers between two lanes: once and whole, or back, wherever they are cut. T1 – T7: transfers.ts. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AccountId } from '@local-plus/contracts';
import { type Outcome, returnKey, type TransferRequest } from '../index.ts';
import { type Cut, keyOf, type Step, TwoLanes } from './test/two-lanes.ts';

interface Scene {
  readonly lanes: TwoLanes;
  readonly from: AccountId;
  readonly to: AccountId;
}

async function scene(points = 100): Promise<Scene> {
  const lanes = await new TwoLanes().start();
  return { lanes, from: await lanes.account(1, points), to: await lanes.account(2) };
}

/** What a client is told, without whether it was told before. */
function told(outcome: Outcome): string {
  if (outcome.type === 'posted') return `posted ${outcome.transactionId} of ${outcome.row.facts.accountId}`;
  if (outcome.type === 'refused') return `refused ${outcome.row.code} of ${outcome.row.kind} ${outcome.row.amount}`;
  return outcome.type;
}

describe('a transfer', () => {
  it('of one lane is one batch, and nothing is ever open', async () => {
    const { lanes, from, to } = await scene();
    lanes.isOneLane = true;
    const outcome = await lanes.process().transfers.transfer(lanes.request(from, to, 60));
    assert.ok(outcome.type === 'posted' && outcome.also.length === 1);
    assert.deepEqual([lanes.balance(from), lanes.balance(to), lanes.steps], [40, 60, ['departure']]);
    assert.equal(outcome.row.posting.detail?.across, undefined);
    lanes.assertSettled();
  });

  it('across lanes arrives with its lots, and is closed', async () => {
    const { lanes, from, to } = await scene();
    const request = lanes.request(from, to, 60);
    const outcome = await lanes.until(lanes.process().transfers.transfer(request));
    assert.ok(outcome.type === 'posted' && !outcome.replayed);
    assert.equal(outcome.row.posting.kind, 'transfer_out');
    assert.deepEqual([lanes.balance(from), lanes.lots(from)], [40, []]);
    assert.deepEqual([lanes.balance(to), lanes.lots(to)], [60, [[10, 50]]]);
    const arrival = lanes.rows(to).at(-1)?.facts;
    assert.deepEqual([arrival?.requestId, arrival?.reference], [request.facts.requestId, 'gift']);
    assert.deepEqual(lanes.steps, ['departure', 'arrival', 'close']);
    lanes.assertSettled();
  });

  for (const isOneLane of [true, false]) {
    it(`of all that can be spent is of two steps${isOneLane ? ', also of one lane' : ''}`, async () => {
      const { lanes, from, to } = await scene();
      lanes.isOneLane = isOneLane;
      const { transfers } = lanes.process();
      const request = lanes.request(from, to, null);
      const outcome = await lanes.until(transfers.transfer(request));
      assert.ok(outcome.type === 'posted' && outcome.row.posting.amount === 100);
      assert.equal(outcome.row.posting.detail?.cleared, true);
      assert.deepEqual([lanes.balance(from), lanes.balance(to), lanes.lots(to)], [0, 100, [[10, 50]]]);
      assert.deepEqual(lanes.steps, ['departure', 'arrival', 'close']);
      const again = await lanes.until(transfers.transfer(request));
      assert.ok(again.type === 'posted' && again.replayed && told(again) === told(outcome));
      const empty = await lanes.until(transfers.transfer(lanes.request(await lanes.account(1), to, null)));
      assert.equal(told(empty), 'refused insufficient_funds of transfer_out 0');
      lanes.assertSettled();
    });
  }

  it('of all leaves a frozen account only where it is told to, and comes back to it', async () => {
    const { lanes, from, to } = await scene();
    const { transfers } = lanes.process();
    await lanes.freeze(from);
    const asked = await lanes.until(transfers.transfer(lanes.request(from, to, null)));
    assert.equal(told(asked), 'refused account_frozen of transfer_out 0');
    await lanes.freeze(to);
    const forced = { ...lanes.request(from, to, null), evenFrozen: true };
    assert.equal(told(await lanes.until(transfers.transfer(forced))), 'refused account_frozen of transfer_in 100');
    assert.deepEqual([lanes.balance(from), lanes.lots(from)], [100, [[10, 50]]]);
    await lanes.post(to, { kind: 'unfreeze', reason: 'found', programId: lanes.programId });
    const next = { ...lanes.request(from, to, null), evenFrozen: true };
    assert.equal((await lanes.until(transfers.transfer(next))).type, 'posted');
    assert.deepEqual([lanes.balance(from), lanes.balance(to)], [0, 100]);
    lanes.assertSettled();
  });

  it('whose key has a departure is told its end, whatever is asked in its place by then', async () => {
    const { lanes, from, to } = await scene();
    const { transfers } = lanes.process();
    const programId = lanes.programId;
    const instead = { kind: 'decline', of: 'transfer_out', amount: 60, code: 'giftcard_expired', programId } as const;
    await lanes.freeze(to);
    const request = lanes.request(from, to, 60);
    const first = await lanes.until(transfers.transfer(request));
    assert.equal(told(first), 'refused account_frozen of transfer_in 60');
    assert.equal(told(await lanes.until(transfers.transfer({ ...request, instead }))), told(first));
    const next = lanes.request(from, to, 60);
    const declined = await lanes.until(transfers.transfer({ ...next, instead }));
    assert.equal(told(declined), 'refused giftcard_expired of transfer_out 60');
    assert.equal(told(await lanes.until(transfers.transfer(next))), told(declined), 'whoever was first');
    assert.deepEqual([lanes.balance(from), lanes.balance(to)], [100, 0]);
    lanes.assertSettled();
  });

  it('that the giving account refuses leaves nothing open, and stays refused', async () => {
    const { lanes, from, to } = await scene();
    const { transfers } = lanes.process();
    const request = lanes.request(from, to, 101);
    const first = await lanes.until(transfers.transfer(request));
    assert.equal(told(first), 'refused insufficient_funds of transfer_out 101');
    assert.equal(told(await lanes.until(transfers.transfer(request))), told(first));
    assert.deepEqual(lanes.steps, ['departure', 'departure']);
    lanes.assertSettled();
  });

  it('that the receiving account refuses comes back to its lots', async () => {
    const { lanes, from, to } = await scene();
    await lanes.freeze(to);
    const { transfers } = lanes.process();
    const request = lanes.request(from, to, 60);
    const first = await lanes.until(transfers.transfer(request));
    assert.equal(told(first), 'refused account_frozen of transfer_in 60');
    assert.ok(first.type === 'refused' && !first.replayed);
    assert.equal(first.row.facts.requestId, request.facts.requestId);
    assert.deepEqual([lanes.balance(from), lanes.lots(from)], [100, [[10, 50]]]);
    assert.deepEqual(lanes.kinds(from), ['transfer_out 60', 'reverse 60']);
    const [departure, back] = lanes.rows(from).slice(-2);
    assert.equal(back?.posting.reversalOf, departure?.transactionId);
    assert.equal(back?.facts.idempotencyKey, returnKey(keyOf(request)));
    lanes.assertSettled();

    await lanes.post(to, { kind: 'unfreeze', reason: 'found', programId: lanes.programId });
    const again = await lanes.until(transfers.transfer(request));
    assert.ok(again.type === 'refused' && again.replayed && told(again) === told(first));
    lanes.assertSettled();
  });

  it('comes back to an account that was frozen meanwhile', async () => {
    const { lanes, from, to } = await scene();
    await lanes.freeze(to);
    lanes.onStep = (step) => (step === 'arrival' ? lanes.freeze(from) : undefined);
    const outcome = await lanes.until(lanes.process().transfers.transfer(lanes.request(from, to, 60)));
    assert.equal(told(outcome), 'refused account_frozen of transfer_in 60');
    assert.deepEqual(lanes.kinds(from), ['transfer_out 60', 'freeze 0', 'reverse 60']);
    lanes.assertSettled();
  });

  it('comes back as often as it is refused: what came back counts among no reversals', async () => {
    const { lanes, from, to } = await scene(10);
    await lanes.freeze(to);
    lanes.isWatched = false;
    const { transfers } = lanes.process();
    for (let round = 0; round < 5_000; round++) await transfers.transfer(lanes.request(from, to, 10));
    assert.deepEqual([lanes.balance(from), lanes.lots(from)], [10, [[10, 5]]]);
    assert.equal(lanes.rows(from).length, 2 + 10_000);
    lanes.assertSettled();
  });

  it('keeps its key: another request with it is told so, at any point', async () => {
    const { lanes, from, to } = await scene();
    const other = await lanes.account(2);
    const { transfers } = lanes.process();
    const request = lanes.request(from, to, 60, 'mine');
    lanes.away.add(2);
    assert.equal(told(await lanes.until(transfers.transfer(request))), 'unavailable');
    for (const isOneLane of [false, true]) {
      lanes.isOneLane = isOneLane;
      for (const [target, amount] of [
        [to, 59],
        [other, 60],
      ] as const) {
        const outcome = transfers.transfer(lanes.request(from, target, amount, 'mine'));
        assert.equal(told(await lanes.until(outcome)), 'key_reused');
      }
    }
    assert.equal(lanes.transit(), 60);
  });

  it('sent a hundred times at once, by several processes, is one', async () => {
    for (const isRefused of [false, true]) {
      const { lanes, from, to } = await scene();
      if (isRefused) await lanes.freeze(to);
      const request = lanes.request(from, to, 60);
      const processes = [lanes.process(), lanes.process(), lanes.process()];
      const sent = Array.from({ length: 99 }, (_, index) => processes[index % 3]?.transfers.transfer(request));
      const outcomes = (await lanes.until(Promise.all(sent))) as Outcome[];
      assert.equal(new Set(outcomes.map(told)).size, 1);
      assert.equal(outcomes.filter((outcome) => 'replayed' in outcome && !outcome.replayed).length, 1);
      assert.deepEqual(lanes.kinds(from), isRefused ? ['transfer_out 60', 'reverse 60'] : ['transfer_out 60']);
      lanes.assertSettled();
    }
  });

  it('I1: opposite ones between two lanes, four thousand at once, lose nothing', async () => {
    const lanes = await new TwoLanes().start();
    const left = await Promise.all(Array.from({ length: 4 }, () => lanes.account(1, 20_000)));
    const right = await Promise.all(Array.from({ length: 4 }, () => lanes.account(2, 20_000)));
    const frozen = right[3] as AccountId;
    lanes.isWatched = false;
    const processes = [lanes.process(), lanes.process()];
    const outcomes = await lanes.until(
      Promise.all(
        Array.from({ length: 4_000 }, async (_, index) => {
          const [one, two] = [left[index % 4] as AccountId, right[(index >> 2) % 4] as AccountId];
          const [from, to] = index % 2 === 0 ? [one, two] : [two, one];
          if (index === 1_000) await lanes.freeze(frozen);
          const process = processes[(index >> 1) % 2] as (typeof processes)[0];
          return process.transfers.transfer(lanes.request(from, to, 1 + (index % 89), undefined, 60_000));
        }),
      ),
    );
    const counts = new Map<string, number>();
    for (const { type } of outcomes) counts.set(type, (counts.get(type) ?? 0) + 1);
    assert.deepEqual([...counts.keys()].sort(), ['posted', 'refused']);
    const returned = processes.reduce((sum, { transfers }) => sum + transfers.counters.returned, 0);
    const arrived = processes.reduce((sum, { transfers }) => sum + transfers.counters.arrived, 0);
    assert.ok(returned > 0 && arrived > 1_000, `${returned} came back, ${arrived} arrived`);
    assert.equal(counts.get('posted'), arrived);
    lanes.assertExplained();
    await lanes.idle(200);
    lanes.assertSettled();
  });
});

/** Where it is cut; each also for a transfer that is refused, where that step comes about. */
const cuts: readonly (readonly [Step, Cut])[] = (['departure', 'arrival', 'return', 'close'] as const).flatMap((step) =>
  (['lost before', 'lost after', 'killed before', 'killed after'] as const).map((cut) => [step, cut] as const),
);

type Finish = (scene: Scene, request: TransferRequest) => Promise<Outcome[]>;

/** Whoever goes on, all that are told anything are told the end. */
const finishes: Readonly<Record<string, Finish>> = {
  'the client comes again': async ({ lanes }, request) => [await retried(lanes, request)],
  'a sweep, then the client': async ({ lanes }, request) => {
    await swept(lanes, 1);
    return [await retried(lanes, request)];
  },
  'the client twice and two sweeps, all at once': async ({ lanes }, request) => {
    const all = [retried(lanes, request), retried(lanes, request), swept(lanes, 2)] as const;
    const [one, two] = await lanes.until(Promise.all(all));
    return [one, two];
  },
  'both lanes die, then the client': async ({ lanes }, request) => {
    await lanes.restart(1);
    await lanes.restart(2);
    return [await retried(lanes, request)];
  },
  'one lane has both accounts now': async ({ lanes }, request) => {
    await lanes.reshard(true);
    return [await retried(lanes, request)];
  },
};

async function retried(lanes: TwoLanes, request: TransferRequest): Promise<Outcome> {
  const { transfers } = lanes.process();
  for (let attempt = 0; attempt < 20; attempt++) {
    const outcome = await lanes.until(transfers.transfer({ ...request, deadlineMs: lanes.monotonicMs + 1_000 }));
    if (outcome.type === 'posted' || outcome.type === 'refused') return outcome;
    assert.ok(outcome.type === 'unavailable' || outcome.type === 'overloaded', outcome.type);
  }
  return assert.fail('it never settled');
}

async function swept(lanes: TwoLanes, processes: number): Promise<void> {
  const sweeps = Array.from({ length: processes }, () => lanes.process().sweep);
  for (const sweep of sweeps) sweep.start();
  await lanes.idle(2_500);
  await Promise.all(sweeps.map((sweep) => sweep.stop()));
}

describe('a transfer across lanes that is cut', () => {
  for (const [step, cut] of cuts) {
    for (const [how, finish] of Object.entries(finishes)) {
      for (const isRefused of step === 'return' ? [true] : [false, true]) {
        it(`${cut} its ${step}${isRefused ? ' (it is refused)' : ''}; ${how}`, async () => {
          const stage = await scene();
          const { lanes, from, to } = stage;
          if (isRefused) await lanes.freeze(to);
          const request = lanes.request(from, to, 60);
          const first = lanes.process({ at: step, cut }).transfers.transfer(request);
          await Promise.race([lanes.until(first).catch(() => undefined), lanes.idle(3_000)]);
          const outcomes = await finish(stage, request);
          const wanted = isRefused ? 'refused account_frozen of transfer_in 60' : 'posted';
          for (const outcome of outcomes) assert.ok(told(outcome).startsWith(wanted), told(outcome));
          assert.equal(new Set(outcomes.map(told)).size, 1);
          assert.deepEqual(
            [lanes.balance(from), lanes.lots(from), lanes.balance(to), lanes.lots(to)],
            isRefused ? [100, [[10, 50]], 0, []] : [40, [], 60, [[10, 50]]],
          );
          await swept(lanes, 1);
          lanes.assertSettled();
        });
      }
    }
  }

  it('and left by its client is finished by the sweep alone', async () => {
    for (const isRefused of [false, true]) {
      const { lanes, from, to } = await scene();
      if (isRefused) await lanes.freeze(to);
      const request = lanes.request(from, to, 60);
      void lanes.process({ at: 'departure', cut: 'killed after' }).transfers.transfer(request);
      await lanes.idle(1_000);
      assert.equal(lanes.transit(), 60);
      await swept(lanes, 2);
      assert.deepEqual([lanes.balance(from), lanes.balance(to)], isRefused ? [100, 0] : [40, 60]);
      lanes.assertSettled();
    }
  });

  it('T2: was one batch, and stays so when the lanes part', async () => {
    const { lanes, from, to } = await scene();
    await lanes.reshard(true);
    const request = lanes.request(from, to, 60);
    const first = await lanes.until(lanes.process().transfers.transfer(request));
    await lanes.reshard(false);
    const again = await lanes.until(lanes.process().transfers.transfer(request));
    assert.ok(again.type === 'posted' && again.replayed && told(again) === told(first));
    assert.deepEqual([lanes.balance(from), lanes.balance(to)], [40, 60]);
    lanes.assertSettled();
  });

  it('T6: a client is told in time that it is not known, and later what came of it', async () => {
    const { lanes, from, to } = await scene();
    lanes.away.add(2);
    const { transfers, sweep } = lanes.process();
    const request = lanes.request(from, to, 60);
    const beganMs = lanes.monotonicMs;
    assert.equal(told(await lanes.until(transfers.transfer(request))), 'unavailable');
    assert.ok(lanes.monotonicMs - beganMs <= 1_000, 'within its deadline');
    assert.equal(transfers.counters.leftOpen, 1);
    lanes.assertExplained();
    lanes.away.delete(2);
    sweep.start();
    await lanes.idle(2_000);
    await sweep.stop();
    assert.deepEqual([lanes.transit(), sweep.counters.closed], [0, 1]);
    const again = await lanes.until(transfers.transfer({ ...request, deadlineMs: lanes.monotonicMs + 1_000 }));
    assert.ok(again.type === 'posted' && again.replayed);
    lanes.assertSettled();
  });

  it('waits no longer once its process stops', async () => {
    const { lanes, from, to } = await scene();
    lanes.away.add(2);
    const { transfers } = lanes.process();
    const answer = transfers.transfer(lanes.request(from, to, 60, 'mine', 60_000));
    await lanes.idle(500);
    transfers.stop();
    await lanes.until(answer);
    assert.ok(lanes.monotonicMs < 2_000);
  });
});
