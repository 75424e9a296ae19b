/** The link on a real Valkey that is killed, stopped in its tracks, and started again: nobody waits, nothing is lost. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { quiet } from '../../test/log.ts';
import { eventually, TestStack } from '../../test/stack.ts';
import { createMetrics } from '../telemetry/index.ts';
import { connectRedis, type RedisLink } from './index.ts';

/** A machine that stands still for a moment is not taken for a server that does not answer. */
const patient = {
  connectMs: 5_000,
  commandMs: 5_000,
  reconnectMsMin: 10,
  reconnectMsMax: 100,
  heartbeatMs: 2_000,
  evictionsOwedMax: 100,
};
const hasty = { ...patient, commandMs: 100, heartbeatMs: 100 };

describe('the link to Redis', () => {
  const stack = new TestStack();
  const links: RedisLink[] = [];

  before(() => stack.startValkey());
  after(async () => {
    for (const link of links) link.stop();
    await stack.stop();
  });

  function connect(bounds = patient) {
    const heard = { keys: [] as string[], states: [] as boolean[] };
    const link = connectRedis(stack.valkey.url, bounds, quiet, createMetrics());
    link.listen({ evicted: (key) => heard.keys.push(key), changedState: (isUp) => heard.states.push(isUp) });
    link.start();
    links.push(link);
    return { link, heard };
  }

  it('adds what is absent, replaces by a tombstone, and tells every process', async () => {
    const [one, two] = [connect(), connect()];
    for (const { link } of [one, two]) await eventually('it is up', () => link.isUp());
    await one.link.add('k', 'first', 60_000);
    await two.link.add('k', 'second', 60_000);
    assert.equal(await two.link.get('k'), 'first');
    await one.link.evict('k', 60_000);
    await two.link.add('k', 'too late', 60_000);
    assert.equal(await one.link.get('k'), '');
    for (const { heard } of [one, two]) await eventually('it is told', () => heard.keys.includes('k'));
    assert.equal(await one.link.get('never'), null);
  });

  it('fails at once while it is away, and announces what it owes before it is up again', async () => {
    const [one, two] = [connect(), connect()];
    for (const { link } of [one, two]) await eventually('it is up', () => link.isUp());
    await one.link.add('owed', 'old', 60_000);
    await stack.valkey.kill();
    await assert.rejects(one.link.get('owed'));
    await one.link.evict('owed', 60_000);
    await eventually('it is down', () => !one.link.isUp() && !two.link.isUp());
    await stack.valkey.start();
    for (const { link } of [one, two]) await eventually('it is up', () => link.isUp());
    await eventually('the tombstone is there', async () => (await two.link.get('owed').catch(() => null)) === '');
    assert.deepEqual(one.heard.states, [true, false, true]);
  });

  it('does not take its own standing still for the silence of the server', async () => {
    const { link, heard } = connect({ ...patient, heartbeatMs: 500 });
    await eventually('it is up', () => link.isUp());
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500);
    assert.equal(await link.get('nothing'), null);
    assert.deepEqual([link.isUp(), heard.states], [true, [true]]);
  });

  it('notices a server that is there and does not answer', async () => {
    const { link } = connect(hasty);
    await eventually('it is up', () => link.isUp());
    const { pid } = stack.valkey;
    assert.ok(pid !== null);
    process.kill(pid, 'SIGSTOP');
    try {
      await assert.rejects(link.get('k'));
      await eventually('it is down', () => !link.isUp());
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await eventually('it is up again', () => link.isUp());
    await eventually('it answers', () =>
      link.get('nothing').then(
        (value) => value === null,
        () => false,
      ),
    );
  });
});
