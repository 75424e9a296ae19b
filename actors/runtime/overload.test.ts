/**
 * More than the store can take, in virtual time: what gets done, how long it waits, and whom one greedy client delays. The
 * figures are exact for their seed; they are asserted with room for other seeds.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runtimeLimits } from '../index.ts';
import { type Group, Load, newAccounts, type Tally } from '../test/load.ts';

/** A full batch takes 42 ms. */
const commitMs = (rows: number): number => 2 + 0.4 * rows;
const batchMs = commitMs(100);
const peak = 100 / (batchMs / 1_000);
const limits = { batchCommandsMax: 100, overlapCommandsMin: 20, turnCommandsMax: 50 };

/** After the beginning, in which the load builds up. */
const STEADY_MS = 1_000;
const END_MS = 6_000;

async function offered(groups: readonly Group[], untilMs = END_MS + 12_000): Promise<{ load: Load; tallies: Tally[] }> {
  const load = new Load({ limits, commitMs });
  const tallies = groups.map((group) => load.offer(group));
  await load.run(untilMs);
  return { load, tallies };
}

/** The wait that 99 of 100 of all these groups' commands did not exceed. */
function p99Ms(tallies: readonly Tally[]): number {
  const waits = tallies
    .flatMap(({ posted }) => posted.map(({ waitedMs }) => waitedMs))
    .sort((one, other) => one - other);
  return waits[Math.floor(waits.length * 0.99)] ?? 0;
}

function answered(tally: Tally): number {
  return Object.values(tally.counts).reduce((sum, count) => sum + count, 0);
}

describe('under overload', () => {
  for (const times of [1, 2, 10]) {
    for (const accountCount of [1, 400, 5_000]) {
      it(`${times} × the capacity on ${accountCount} accounts: as much is done as at best, and nobody waits for long`, async () => {
        const accounts = newAccounts(accountCount);
        const { load, tallies } = await offered([
          { tenant: 'all', accounts, perSecond: peak * times, untilMs: END_MS },
        ]);
        const [tally] = tallies as [Tally];
        const goodput = tally.goodput(STEADY_MS, END_MS);
        assert.ok(goodput > 0.95 * peak, `${goodput} of ${peak} a second`);
        assert.ok(tally.waitedMs(0.99, STEADY_MS + 1_000) < 1_600, `${tally.waitedMs(0.99, STEADY_MS + 1_000)} ms`);
        assert.equal(tally.counts.expired + tally.counts.unavailable, 0, 'nothing that was let in was in vain');
        assert.equal(answered(tally), tally.offered);
        assert.ok(load.pendingMax < 2 * peak, `${load.pendingMax} waited at most`);
        assert.equal(load.runtime.status.pending, 0);
      });
    }
  }

  it('those who come back when they were told to all get their turn, and do not come in vain again and again', async () => {
    const group = { tenant: 'all', accounts: newAccounts(400), perSecond: peak * 10, untilMs: 2_000, returns: true };
    const { tallies } = await offered([group], 40_000);
    const [tally] = tallies as [Tally];
    const commands = tally.offered - tally.counts.overloaded;
    assert.equal(tally.counts.posted, commands);
    assert.ok(tally.offered < 6 * commands, `${tally.offered / commands} tries each`);
  });

  it('is over when the load is: then it is as if it had never been', async () => {
    const accounts = newAccounts(400);
    const before = { tenant: 'all', accounts, perSecond: peak / 2, untilMs: 12_000 };
    const flood = { tenant: 'all', accounts, perSecond: peak * 10, fromMs: 3_000, untilMs: 6_000 };
    const { tallies } = await offered([before, flood]);
    const [usual] = tallies as [Tally];
    const calmMs = usual.waitedMs(0.99, 0, 3_000);
    assert.ok(usual.waitedMs(0.99, 8_500, 12_000) <= 1.2 * calmMs, 'back to normal within 2.5 s');
    assert.ok(usual.goodput(8_500, 12_000) > 0.49 * peak);
  });

  it('a store that is ten times slower for a while: a bounded number waits, what has expired never runs', async () => {
    const isSlow = (nowMs: number): boolean => nowMs > 2_000 && nowMs < 8_000;
    const slowed = (rows: number, nowMs: number): number => commitMs(rows) * (isSlow(nowMs) ? 10 : 1);
    const load = new Load({
      limits,
      commitMs: slowed,
      lookUpMs: (_, nowMs) => (isSlow(nowMs) ? 10 : 1),
    });
    const budgetMs = 3_000;
    const accounts = newAccounts(400);
    const tally = load.offer({ tenant: 'all', accounts, perSecond: peak * 0.8, untilMs: 12_000, budgetMs });
    await load.run(20_000);
    assert.ok(tally.waitedMs(1) <= budgetMs + runtimeLimits.sweepMs, `${tally.waitedMs(1)} ms`);
    assert.ok(load.pendingMax < peak, `${load.pendingMax} waited at most`);
    const inVain = tally.counts.expired + tally.counts.unavailable;
    assert.ok(inVain < 0.02 * tally.offered, `${inVain} of ${tally.offered} were let in and came to nothing`);
    const rows = accounts.reduce((sum, accountId) => sum + load.ledger.transactions(accountId).length, 0);
    assert.ok(rows <= tally.counts.posted + tally.counts.unavailable, 'nothing that expired is in the ledger');
    assert.ok(tally.goodput(3_000, 8_000) > 0.85 * (peak / 10), 'a slow store is used');
    assert.ok(tally.goodput(9_000, 12_000) > 0.75 * peak, 'and so is a fast one again');
  });

  it('a stop finishes what was let in, within what waits at most', async () => {
    const load = new Load({ limits, commitMs });
    const tally = load.offer({ tenant: 'all', accounts: newAccounts(400), perSecond: peak * 10, untilMs: 4_000 });
    let stoppedMs = Number.POSITIVE_INFINITY;
    load.after(3_000, () => {
      void load.runtime.stop(8_000).then(() => {
        stoppedMs = load.nowMs;
      });
    });
    await load.run(20_000);
    assert.ok(stoppedMs < 3_000 + 1_600, `it took until ${stoppedMs}`);
    assert.equal(answered(tally), tally.offered);
    assert.equal(tally.counts.expired, 0);
    assert.equal(tally.counts.posted, load.runtime.status.counters.commands);
    assert.ok(tally.posted.some(({ atMs }) => atMs > 3_000));
  });
});

describe('one who is greedy', () => {
  const light = (number: number): Group => {
    return { tenant: `light ${number}`, accounts: newAccounts(100), perSecond: 0.075 * peak, untilMs: END_MS };
  };
  const lights = [light(1), light(2), light(3), light(4)];
  const everybody = lights.flatMap(({ accounts }) => accounts);
  const whos: Readonly<Record<string, Pick<Group, 'tenant' | 'accounts'>>> = {
    'a hot wallet of the same tenant': { tenant: 'light 1', accounts: newAccounts(1) },
    'a hot wallet of another tenant': { tenant: 'hot', accounts: newAccounts(1) },
    'a hot tenant with many wallets': { tenant: 'hot', accounts: newAccounts(2_000) },
  };
  /** Of the light tenants, who use 30 % of the capacity, beside `perSecond` more. */
  async function besides(who: Pick<Group, 'tenant' | 'accounts'>, perSecond: number) {
    const { load, tallies } = await offered([...lights, { ...who, perSecond, untilMs: END_MS }]);
    const hot = tallies.pop() as Tally;
    const refused = tallies.reduce((sum, { counts }) => sum + counts.overloaded, 0);
    return { p99Ms: p99Ms(tallies), refused, hot, load };
  }

  for (const [name, who] of Object.entries(whos)) {
    it(`${name}, below the capacity: the others' P99 is what it is when all are alike`, async () => {
      const even = await besides({ tenant: 'light 2', accounts: everybody }, 0.5 * peak);
      const uneven = await besides(who, 0.5 * peak);
      assert.ok(uneven.p99Ms <= 1.2 * even.p99Ms, `${uneven.p99Ms} instead of ${even.p99Ms} ms`);
    });

    it(`${name}, 10 × the capacity: the others wait for two batches and their own, and are not refused`, async () => {
      const full = await besides(who, 0.7 * peak);
      const greedy = await besides(who, 10 * peak);
      assert.ok(greedy.p99Ms <= 1.2 * full.p99Ms, `${greedy.p99Ms} instead of ${full.p99Ms} ms`);
      assert.ok(greedy.p99Ms <= 3 * batchMs + 5);
      assert.equal(greedy.refused, 0);
      const goodput = greedy.hot.goodput(STEADY_MS, END_MS);
      assert.ok(goodput > 0.65 * peak, `what the others leave is used: ${goodput} of ${peak} a second`);
    });
  }

  it('does not delay the others while keys and accounts are looked up, either', async () => {
    const lookUpMs = (count: number): number => 5 + count / 10;
    const run = async (perSecond: number): Promise<number> => {
      const load = new Load({ limits: { ...limits, lookUpsMax: 100 }, commitMs: () => 1, lookUpMs });
      const tallies = lights.map((group) => load.offer(group));
      load.offer({ tenant: 'hot', accounts: newAccounts(20_000), perSecond, untilMs: END_MS });
      await load.run(END_MS + 12_000);
      return p99Ms(tallies);
    };
    const calmMs = await run(100 / (lookUpMs(100) / 1_000));
    const greedyMs = await run((10 * 100) / (lookUpMs(100) / 1_000));
    assert.ok(greedyMs <= 1.2 * calmMs, `${greedyMs} instead of ${calmMs} ms`);
  });
});
