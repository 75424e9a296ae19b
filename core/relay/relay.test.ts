/** The relay on a stage (test/stage.ts): whatever fails and whenever, nothing is skipped and nothing is reordered. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { topics } from '@local-plus/contracts';
import { quiet } from '../test/log.ts';
import { type RelayLimits, relayLimits } from './limits.ts';
import { Relay } from './relay.ts';
import { Stage } from './test/stage.ts';

const batchRowsMax = 12;
/** Small, so that every bound is met all the time. */
const limits: RelayLimits = {
  ...relayLimits,
  memoryRowsMax: 30,
  memoryBatchesMax: 15,
  requestRowsMax: 5,
  pageRowsMax: batchRowsMax + 1,
  lingerMs: 3,
  progressMs: 20,
  pollMs: 40,
  backoffMs: 2,
  backoffMsMax: 16,
};
const STEPS_MAX = 200_000;

function relayOn(stage: Stage, process: ReturnType<Stage['process']>, producer = true, bounds = limits): Relay {
  return new Relay({
    writerId: 1,
    store: process.store,
    producer: producer ? process.producer : null,
    clock: stage.clock,
    timer: stage.clock.timer,
    random: stage.random,
    log: quiet,
    limits: bounds,
  });
}

async function until(stage: Stage, holds: () => boolean, what: string): Promise<void> {
  for (let step = 0; step < STEPS_MAX; step++) {
    if (holds()) return;
    await stage.clock.step();
  }
  assert.fail(`never: ${what}`);
}

/** Lets virtual time pass until the promise is settled. */
async function settled(stage: Stage, promise: Promise<void>): Promise<void> {
  let done = false;
  promise.finally(() => {
    done = true;
  });
  await until(stage, () => done, 'the promise settles');
}

/** I5, for both topics. */
function assertEverythingArrived(stage: Stage): void {
  for (const topic of [topics.ledgerTransactions, topics.walletBalanceUpdated]) {
    const sorted = (map: Map<string, number[]>) => [...map].sort(([left], [right]) => left.localeCompare(right));
    assert.deepEqual(sorted(stage.versions(topic)), sorted(stage.expectedVersions()), topic);
  }
}

function deliveries(stage: Stage): number {
  return stage.topics.get(topics.ledgerTransactions)?.length ?? 0;
}

function committedRows(stage: Stage): number {
  return stage.committed.reduce((rows, { posted }) => rows + posted.length, 0);
}

/** One of a set, by the stage's luck. */
function pick<Value>(stage: Stage, values: readonly Value[]): Value {
  return values[stage.integer(values.length - 1)] as Value;
}

/** What may happen to the process of the relay between two commits: a crash, an orderly stop, mostly nothing. */
async function fate(stage: Stage, process: ReturnType<Stage['process']>, relay: Relay): Promise<'goes on' | 'ended'> {
  const luck = stage.random();
  if (luck < 0.01) process.crash();
  else if (luck < 0.02) await settled(stage, relay.stop(stage.integer(30)));
  return luck < 0.02 ? 'ended' : 'goes on';
}

/** A day of faults: commits, offers, crashes, restarts, a second relay, Kafka and table failing. */
async function play(seed: number): Promise<readonly Relay[]> {
  const stage = new Stage(seed);
  let process = stage.process();
  let relay = relayOn(stage, process);
  const relays = [relay];
  const second = stage.random() < 0.3 ? relayOn(stage, stage.process()) : null;
  second?.start();
  for (let round = 0; round < 400; round++) {
    if (stage.random() < 0.02) stage.chances.kafkaFails = pick(stage, [0, 0.2, 1]);
    if (stage.random() < 0.02) stage.chances.tableFails = pick(stage, [0, 0.1, 0.5]);
    relay.start();
    const committed = stage.commit(stage.random() < 0.3 ? 0 : stage.integer(batchRowsMax));
    if ((await fate(stage, process, relay)) === 'ended') {
      // The batch was committed, and never offered to anyone.
      process = stage.process();
      relay = relayOn(stage, process);
      relays.push(relay);
    } else {
      relay.offer(committed);
    }
    assert.ok(relay.status.memoryRows <= limits.memoryRowsMax, 'memory is bounded');
    for (let steps = pick(stage, [0, 0, 1, 5, 12]); steps > 0; steps--) await stage.clock.step();
  }
  stage.chances.kafkaFails = 0;
  stage.chances.tableFails = 0;
  relay.start();
  const lastBatch = stage.committed.findLast(({ posted }) => posted.length > 0)?.batch ?? 0;
  await until(stage, () => relay.status.cursor >= lastBatch, 'the relay catches up');
  await settled(stage, relay.stop(100));
  if (second) await settled(stage, second.stop(0));
  assertEverythingArrived(stage);
  assert.ok(stage.progress >= lastBatch && stage.progress <= stage.committed.length, 'the progress is true');
  return relays;
}

describe('the relay', () => {
  const firstSeed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const seeds = process.env['SEED'] ? 1 : 60;
  it(`skips and reorders nothing (${seeds} runs from SEED=${firstSeed})`, async () => {
    const published = { memory: 0, table: 0 };
    for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
      const relays = await play(seed).catch((cause) => {
        throw new Error(`SEED=${seed} repeats it: ${cause.message}`, { cause });
      });
      for (const { counters } of relays) {
        published.memory += counters.published.memory;
        published.table += counters.published.table;
      }
    }
    if (seeds > 1) assert.ok(published.memory > 0 && published.table > 0, 'both ways were gone');
  });

  it('publishes from memory while memory holds what comes next, and each event once', async () => {
    const stage = new Stage(1);
    const relay = relayOn(stage, stage.process());
    relay.start();
    for (let round = 0; round < 50; round++) {
      relay.offer(stage.commit(3));
      await until(stage, () => relay.status.lagBatches === 0, 'published');
    }
    assertEverythingArrived(stage);
    assert.deepEqual(relay.counters.published, { memory: 150, table: 0 });
    assert.equal(deliveries(stage), 150);
    await settled(stage, relay.stop(100));
    assert.equal(stage.progress, 50);
  });

  it('counts a batch of refusals only as progress', async () => {
    const stage = new Stage(2);
    const relay = relayOn(stage, stage.process());
    relay.start();
    for (const rows of [0, 0, 2, 0]) relay.offer(stage.commit(rows));
    await until(stage, () => relay.status.cursor === 4, 'all is passed');
    await settled(stage, relay.stop(100));
    assert.equal(stage.progress, 4);
    assert.equal(deliveries(stage), 2);
  });

  it('reads what an earlier process committed without publishing it', async () => {
    const stage = new Stage(3);
    for (let batch = 0; batch < 40; batch++) stage.commit(5);
    const relay = relayOn(stage, stage.process());
    relay.start();
    await until(stage, () => relay.status.cursor === 40, 'the backlog is published');
    assertEverythingArrived(stage);
    assert.equal(relay.counters.published.table, 200);
    relay.offer(stage.commit(1));
    await until(stage, () => relay.status.cursor === 41, 'and it goes on');
    assert.equal(relay.counters.published.memory, 1);
    await settled(stage, relay.stop(0));
  });

  it('follows a writer of another process by the table alone', async () => {
    const stage = new Stage(4);
    const relay = relayOn(stage, stage.process());
    relay.start();
    for (let batch = 0; batch < 10; batch++) {
      stage.commit(3);
      for (let step = 0; step < 20; step++) await stage.clock.step();
    }
    await until(stage, () => relay.status.cursor === 10, 'all is published');
    assertEverythingArrived(stage);
    await settled(stage, relay.stop(0));
  });

  it('drops memory when Kafka stays away, then drains the table and turns back to memory', async () => {
    const stage = new Stage(5);
    stage.chances.kafkaFails = 1;
    const relay = relayOn(stage, stage.process());
    relay.start();
    for (let batch = 0; batch < 300; batch++) {
      relay.offer(stage.commit(2));
      assert.ok(relay.status.memoryRows <= limits.memoryRowsMax);
      await stage.clock.step();
    }
    assert.equal(relay.status.lagTransactions, 600);
    assert.equal(relay.status.connected, false);
    stage.chances.kafkaFails = 0;
    await until(stage, () => relay.status.lagBatches === 0, 'it drains');
    assert.equal(relay.status.lagTransactions, 0);
    assert.equal(relay.status.mode, 'memory');
    assertEverythingArrived(stage);
    await settled(stage, relay.stop(100));
  });

  it('publishes again, and only that, what was published but not written down', async () => {
    const stage = new Stage(6);
    const first = stage.process();
    const store = { ...bound(first.store), saveProgress: () => new Promise<void>(() => undefined) };
    const crashed = relayOn(stage, { ...first, store });
    crashed.start();
    for (let batch = 0; batch < 20; batch++) crashed.offer(stage.commit(4));
    await until(stage, () => crashed.status.lagBatches === 0, 'all is published');
    first.crash();
    assert.equal(deliveries(stage), 80);
    const relay = relayOn(stage, stage.process());
    relay.start();
    await until(stage, () => relay.status.cursor === 20, 'published again');
    await settled(stage, relay.stop(0));
    assert.equal(deliveries(stage), 160);
    assertEverythingArrived(stage);
    assert.equal(stage.progress, 20);
  });

  it('shares a request among the batches of a moment', async () => {
    const stage = new Stage(7);
    const process = stage.process();
    let requests = 0;
    const producer = {
      ...bound(process.producer),
      get connected() {
        return process.producer.connected;
      },
      send: (sent: Parameters<typeof process.producer.send>[0]) => {
        requests++;
        return process.producer.send(sent);
      },
    };
    const relay = relayOn(stage, { ...process, producer });
    relay.start();
    await until(stage, () => relay.status.connected, 'it is connected');
    for (let batch = 0; batch < 4; batch++) relay.offer(stage.commit(1));
    await until(stage, () => relay.status.lagBatches === 0, 'published');
    assert.equal(requests, 1);
    await settled(stage, relay.stop(0));
  });

  it('without a broker only says how far behind it is', async () => {
    const stage = new Stage(8);
    for (let batch = 0; batch < 3; batch++) stage.commit(2);
    const relay = relayOn(stage, stage.process(), false);
    relay.start();
    await until(stage, () => relay.status.mode === 'off', 'it has read its progress');
    relay.offer(stage.commit(5));
    for (let step = 0; step < 200; step++) await stage.clock.step();
    const { mode, lagBatches, lagTransactions, memoryRows, connected } = relay.status;
    assert.deepEqual(
      { mode, lagBatches, lagTransactions, memoryRows, connected },
      { mode: 'off', lagBatches: 4, lagTransactions: 11, memoryRows: 0, connected: false },
    );
    assert.equal(deliveries(stage), 0);
    await settled(stage, relay.stop(100));
    assert.equal(stage.progress, 0);
  });

  it('drains on a stop while Kafka is there, and does not wait for one that is away', async () => {
    const stage = new Stage(9);
    const relay = relayOn(stage, stage.process());
    relay.start();
    await until(stage, () => relay.status.connected, 'it is connected');
    for (let batch = 0; batch < 5; batch++) relay.offer(stage.commit(4));
    await settled(stage, relay.stop(10_000));
    assert.equal(deliveries(stage), committedRows(stage));
    assert.equal(stage.progress, 5);

    stage.chances.kafkaFails = 1;
    const other = relayOn(stage, stage.process());
    other.start();
    other.offer(stage.commit(4));
    const startedMs = stage.clock.monotonicMs();
    await settled(stage, other.stop(10_000));
    assert.ok(stage.clock.monotonicMs() - startedMs < 1_000, 'in virtual time');
    assert.equal(stage.progress, 5);
  });

  it('asks a table that is away now and then while it stops', async () => {
    const stage = new Stage(10);
    stage.chances.tableFails = 1;
    const process = stage.process();
    await settled(stage, process.producer.connect());
    const { backoffMs, backoffMsMax } = relayLimits;
    const relay = relayOn(stage, process, true, { ...limits, backoffMs, backoffMsMax });
    relay.start();
    await until(stage, () => relay.counters.tableFailures > 0, 'it has asked');
    const before = relay.counters.tableFailures;
    await settled(stage, relay.stop(1_000));
    const tries = relay.counters.tableFailures - before;
    // Each takes a little, and what its pause says.
    assert.ok(tries > 10 && tries <= 1_000 / limits.stopPauseMs + 2, `${tries} tries`);
  });
});

/** The methods of an object, callable without it. */
function bound<Target extends object>(target: Target): Target {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(target)).filter((name) => name !== 'constructor');
  const methods = names.map((name) => {
    const method: unknown = Reflect.get(target, name);
    return [name, typeof method === 'function' ? method.bind(target) : method];
  });
  return { ...target, ...Object.fromEntries(methods) };
}
