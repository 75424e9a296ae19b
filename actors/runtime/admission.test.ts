/** Who is let in, and what those are told who are not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AccountId } from '@local-plus/contracts';
import { newAccountId, Stage } from '../test/stage.ts';
import { started, typeOf, type Watched } from '../test/watch.ts';
import type { RuntimeLimits } from './limits.ts';

/** A runtime whose commits took `commitMs` lately, and ask for a command of a tenant's. */
async function paced(commitMs: number, limits: Partial<RuntimeLimits> = {}) {
  const stage = new Stage();
  const runtime = await started(stage, limits);
  let keys = 0;
  const ask = (budgetMs = 10_000, tenant = 'tenant', account: AccountId = newAccountId(), key = `k${++keys}`) => {
    const watched: Watched = { outcome: null };
    const request = stage.request(account, 'earn', 1, key);
    runtime.post({ ...request, tenant, deadlineMs: stage.monotonicMs + budgetMs }, (outcome) => {
      watched.outcome = outcome;
    });
    return watched;
  };
  stage.hold('writes');
  ask();
  await stage.settle();
  stage.monotonicMs += commitMs;
  stage.release();
  await stage.settle();
  return { stage, runtime, ask };
}

const awayOf = ({ outcome }: Watched) => (outcome?.type === 'overloaded' ? (outcome.retryAfterMs ?? null) : null);

describe('admission by time', () => {
  it('Q1: refuses at once what would not be committed before its deadline', async () => {
    const { stage, runtime, ask } = await paced(400);
    stage.hold('writes');
    ask();
    await stage.settle();
    assert.equal(typeOf(ask(700)), 'overloaded', 'one in the air, and its own: 800 ms');
    const late = ask(900);
    assert.equal(typeOf(late), 'waits');
    stage.release();
    await stage.settle();
    assert.equal(typeOf(late), 'posted');
    assert.deepEqual(runtime.status.refusals, { queue_time: 1, mailbox: 0, tenant_share: 0, process: 0 });
  });

  it('Q1: refuses what would wait for its turn for too long, however long it would wait', async () => {
    const { stage, runtime, ask } = await paced(400, {
      batchCommandsMax: 2,
      turnCommandsMax: 2,
      overlapCommandsMin: 2,
    });
    stage.hold('writes');
    const asked = Array.from({ length: 20 }, () => ask());
    await stage.settle();
    const more = Array.from({ length: 20 }, () => ask());
    const waits = [...asked, ...more].filter((each) => typeOf(each) === 'waits').length;
    assert.ok(waits < 40 && runtime.status.refusals.queue_time === 40 - waits, `${waits} of 40 wait`);
    assert.equal(runtime.status.pending, waits);
    stage.release();
    await stage.settle();
    assert.equal(runtime.status.pending, 0);
  });

  it('Q1: sees a statement that does not come back while it is still in the air', async () => {
    const { stage, ask } = await paced(10);
    stage.hold('writes');
    ask();
    await stage.settle();
    assert.equal(typeOf(ask(2_000)), 'waits');
    stage.monotonicMs += 1_500;
    assert.equal(typeOf(ask(2_000)), 'overloaded');
    stage.release();
    await stage.settle();
  });

  it('Q3: an idle lane lets everybody in, however slow it was', async () => {
    const { stage, runtime, ask } = await paced(5_000);
    const hurried = ask(100);
    await stage.settle();
    assert.equal(typeOf(hurried), 'posted');
    assert.equal(runtime.status.refusals.queue_time, 0);
  });

  it('Q3: what fits into the next statement is never too much', async () => {
    const { stage, runtime, ask } = await paced(3_000, {
      batchCommandsMax: 50,
      turnCommandsMax: 50,
      overlapCommandsMin: 50,
    });
    stage.hold('writes');
    ask();
    await stage.settle();
    const next = Array.from({ length: 49 }, () => ask());
    assert.ok(next.every((each) => typeOf(each) === 'waits'));
    stage.release();
    await stage.settle();
    assert.equal(runtime.status.refusals.queue_time, 0);
  });

  it('lets a retry wait with the request that is on its way', async () => {
    const { stage, ask } = await paced(400);
    const account = newAccountId();
    stage.hold('writes');
    const first = ask(10_000, 'tenant', account, 'same');
    await stage.settle();
    const retry = ask(100, 'tenant', account, 'same');
    assert.deepEqual([typeOf(ask(100)), typeOf(retry)], ['overloaded', 'waits']);
    stage.release();
    await stage.settle();
    assert.deepEqual([typeOf(first), typeOf(retry)], ['posted', 'posted']);
  });
});

describe('admission by share', () => {
  it('Q4: keeps room for who comes new, however many one tenant sends', async () => {
    const { stage, runtime, ask } = await paced(1, { pendingMax: 20, mailboxMax: 20, tenantShare: 1 });
    stage.hold();
    const greedy = Array.from({ length: 30 }, () => ask(10_000, 'greedy'));
    const others = ['one', 'two', 'three'].map((name) => ask(10_000, name));
    assert.equal(greedy.filter((each) => typeOf(each) === 'waits').length, 11);
    assert.deepEqual(others.map(typeOf), ['waits', 'waits', 'waits']);
    assert.equal(runtime.status.tenantsWaiting, 4);
    assert.equal(runtime.status.refusals.tenant_share, 19);
    stage.release();
    await stage.settle();
    assert.equal(runtime.status.tenantsWaiting, 0);
    assert.equal(typeOf(ask(10_000, 'greedy')), 'waits', 'all is forgotten');
    await stage.settle();
  });

  it('Q4: counts those who wait for another request of theirs, too', async () => {
    const { stage, runtime, ask } = await paced(1, { pendingMax: 20, mailboxMax: 20, tenantShare: 1 });
    stage.hold();
    const account = newAccountId();
    const same = Array.from({ length: 30 }, () => ask(10_000, 'greedy', account, 'same'));
    assert.ok(runtime.sendAway('greedy', null, stage.monotonicMs + 10_000, 5) > 0);
    assert.equal(same.filter((each) => typeOf(each) === 'waits').length, 11);
    stage.release();
    await stage.settle();
    assert.ok(same.slice(0, 11).every((each) => typeOf(each) === 'posted'));
  });

  it('knows before a request is there what it would be told, and sends nobody away without need', async () => {
    const { stage, runtime, ask } = await paced(400, {
      batchCommandsMax: 2,
      turnCommandsMax: 2,
      overlapCommandsMin: 2,
    });
    const away = (tenant: string, placesFree = 100) =>
      runtime.sendAway(tenant, null, stage.monotonicMs + 10_000, placesFree);
    assert.equal(away('tenant'), 0);
    stage.hold('writes');
    while (runtime.status.refusals.queue_time === 0) ask();
    await stage.settle();
    assert.ok(away('tenant') >= 1_000);
    assert.equal(away('stranger'), 0, 'of whom nothing waits');
    ask(10_000, 'small');
    assert.equal(away('small'), 0, 'who has little');
    assert.ok(away('tenant', 1) > 0, 'the asker is full of its requests');
    stage.release();
    await stage.settle();
    assert.equal(away('tenant'), 0);
  });
});

describe('the time to stay away', () => {
  it('grows with those who were sent away before, within bounds, and shrinks with time', async () => {
    const { stage, runtime, ask } = await paced(200, {
      batchCommandsMax: 10,
      turnCommandsMax: 10,
      overlapCommandsMin: 10,
      mailboxMax: 1,
    });
    const account = newAccountId();
    stage.hold('writes');
    ask(10_000, 'tenant', newAccountId());
    await stage.settle();
    ask(10_000, 'tenant', account);
    const aways = Array.from({ length: 1_000 }, () => awayOf(ask(10_000, 'tenant', account)) ?? 0);
    assert.equal(aways[0], 1_000);
    assert.ok((aways[100] ?? 0) > 1_900 && (aways[100] ?? 0) < 3_000, `after 100, at 50 a second: ${aways[100]} ms`);
    assert.equal(aways.at(-1), 10_000);
    assert.ok(aways.every((each, place) => each >= (aways[place - 1] ?? 0)));
    assert.equal(runtime.status.refusals.mailbox, 1_000);
    stage.release();
    await stage.settle();
    stage.monotonicMs += 20_000;
    stage.hold('writes');
    ask(10_000, 'tenant', newAccountId());
    await stage.settle();
    ask(10_000, 'tenant', account);
    assert.ok((awayOf(ask(10_000, 'tenant', account)) ?? 0) < 1_100);
    stage.release();
    await stage.settle();
  });
});
