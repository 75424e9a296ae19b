/** The sweep of open transfers, on two real runtimes: bounded, patient, and no one transfer's trouble is another's. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TwoLanes } from './test/two-lanes.ts';

/** So many transfers from the first lane to the second whose process died after the departure. */
async function left(lanes: TwoLanes, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const [from, to] = [await lanes.account(1, 10), await lanes.account(2)];
    const dying = lanes.process({ at: 'departure', cut: 'killed after' });
    void dying.transfers.transfer(lanes.request(from, to, 10));
  }
  await lanes.idle(200);
  assert.equal(lanes.ledger.openTransfers(1_000).length, count);
  lanes.steps.length = 0;
}

describe('the sweep of open transfers', () => {
  it('finishes all in rounds of a bounded size, a few at a time', async () => {
    const lanes = await new TwoLanes().start();
    await left(lanes, 25);
    let [atATime, atATimeMax] = [0, 0];
    lanes.onStep = async (step) => {
      if (step === 'arrival') atATimeMax = Math.max(atATimeMax, ++atATime);
      else atATime--;
    };
    const { sweep } = lanes.process(null, { transfersMax: 10, concurrencyMax: 4 });
    sweep.start();
    await lanes.idle(900);
    await sweep.stop();
    assert.deepEqual([sweep.counters.closed, sweep.counters.rounds, atATimeMax], [25, 3, 4]);
    lanes.assertSettled();
  });

  it('sets aside, ever longer, what cannot go on, and goes on with the others', async () => {
    const lanes = await new TwoLanes().start();
    await left(lanes, 5);
    const [from, to] = [await lanes.account(2, 10), await lanes.account(1)];
    void lanes.process({ at: 'departure', cut: 'killed after' }).transfers.transfer(lanes.request(from, to, 10));
    await lanes.idle(200);
    lanes.away.add(2);
    // As many are aside as a round takes: the one that can go on is found behind them.
    const { sweep } = lanes.process(null, { transfersMax: 5 });
    sweep.start();
    await lanes.idle(2_500);
    assert.deepEqual([sweep.counters.closed, sweep.aside, lanes.balance(to)], [1, 5, 10]);
    await lanes.idle(60_000);
    assert.ok(sweep.counters.asides < 5 * 10, `${sweep.counters.asides} tries in a minute`);
    assert.ok(sweep.counters.troubles === 0 && sweep.counters.rounds > 50);
    lanes.away.delete(2);
    await lanes.idle(61_000);
    assert.equal(sweep.aside, 0);
    await sweep.stop();
    lanes.assertSettled();
  });

  it('forgets what others have settled', async () => {
    const lanes = await new TwoLanes().start();
    await left(lanes, 2);
    lanes.away.add(2);
    const { sweep } = lanes.process(null, { asideMsMax: 1_000_000 });
    sweep.start();
    await lanes.idle(20_000);
    assert.equal(sweep.aside, 2);
    lanes.away.delete(2);
    const other = lanes.process().sweep;
    other.start();
    await lanes.idle(2_000);
    await Promise.all([sweep.stop(), other.stop()]);
    assert.equal(sweep.aside, 0);
    lanes.assertSettled();
  });

  it('pauses, ever longer, while the store cannot be asked', async () => {
    const lanes = await new TwoLanes().start();
    await left(lanes, 1);
    lanes.onFind = () => Promise.reject(new Error('away'));
    const { sweep } = lanes.process();
    sweep.start();
    await lanes.idle(60_000);
    assert.ok(sweep.counters.troubles >= 5 && sweep.counters.troubles <= 10, `${sweep.counters.troubles} rounds`);
    lanes.onFind = null;
    await lanes.idle(11_000);
    await sweep.stop();
    lanes.assertSettled();
  });

  it('leaves open what it could not close, and closes it later', async () => {
    const lanes = await new TwoLanes().start();
    await left(lanes, 1);
    const { sweep } = lanes.process({ at: 'close', cut: 'lost before' });
    sweep.start();
    await lanes.idle(500);
    assert.deepEqual([sweep.counters.closed, sweep.aside, lanes.transit()], [0, 1, 0]);
    await lanes.idle(2_000);
    await sweep.stop();
    assert.deepEqual(lanes.steps, ['arrival', 'arrival', 'close']);
    lanes.assertSettled();
  });
});
