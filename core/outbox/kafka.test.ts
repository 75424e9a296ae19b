/**
 * The outbox between a real Postgres and a real Kafka: every event that became true arrives, each aggregate's in order once
 * doubles are removed, whoever publishes, and whatever dies meanwhile.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { merchantOnboardedEvent, topics, uuidV7 } from '@local-plus/contracts';
import { createMetrics, type Metrics } from '../platform/telemetry/index.ts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { type ReceivedRecord, readTopic, startBroker, type TestBroker } from '../test/kafka.ts';
import { quiet } from '../test/log.ts';
import { eventually, meanwhile } from '../test/stack.ts';
import { announce, createOutbox, newEvent, type OutboxService } from './index.ts';
import { checkOutboxLimits, type OutboxLimits, outboxLimits } from './limits.ts';
import { PostgresOutboxStore } from './store.ts';

const topic = topics.merchantOnboarded;
const ROUNDS_MAX = 20;
const quick = { pollMs: 10, takeOverMs: 50, backoffMs: 20, backoffMsMax: 200, countEveryMs: 50, rowsMax: 20 };

let database: TestDatabase;
let broker: TestBroker;
const running: OutboxService[] = [];

before(async () => {
  [database, broker] = await Promise.all([startDatabase(), startBroker()]);
  await database.sql`create table things (id uuid primary key, version int not null)`;
  // A broker that has just begun may still be choosing its leaders.
  await eventually('every partition has a leader', () =>
    readTopic(broker.brokers, topic).then(
      () => true,
      () => false,
    ),
  );
});
after(async () => {
  await broker.close();
  await database.close();
});

afterEach(async () => {
  for (const service of running.splice(0)) await service.stop(5_000);
});

function publisher(clientId: string, limits: Partial<OutboxLimits> = {}) {
  const metrics = createMetrics();
  const service = createOutbox({
    databaseUrl: database.url,
    brokers: broker.brokers,
    clientId,
    log: quiet,
    metrics,
    limits: { ...quick, ...limits },
  }) as OutboxService;
  service.start();
  running.push(service);
  return { service, metrics };
}

/** What the modules do: the row changes, and the event says so, in one statement. */
const change = `with changed as (
    insert into things (id, version) values ($1::uuid, 1)
    on conflict (id) do update set version = things.version + 1 returning version
  ), ${announce(2, 'changed')} select version from changed`;

/** The aggregates change, six at a time. @returns how many events that makes */
async function live(ids: readonly string[], changes: number): Promise<number> {
  const pool = database.pool({ connectionsMax: 6 });
  await Promise.all(
    Array.from({ length: 6 }, async (_, lane) => {
      for (let n = 0; n < changes; n++) {
        const id = ids[(n * 7 + lane) % ids.length] as string;
        await pool.write(change, [id, eventOf(id)]);
      }
    }),
  );
  return 6 * changes;
}

function eventOf(id: string, name = 'x'): string {
  const requestId = uuidV7<never>(Date.now());
  const about = { aggregateType: 'merchant', aggregateId: id, type: 'merchant.onboarded', schemaVersion: 1 };
  return newEvent({ topic, ...about, requestId, traceparent: null, data: { merchant_id: id, name } }, Date.now());
}

/** The ids of each key's events, the first time that they came. */
function firstsOf(records: readonly ReceivedRecord[]): Map<string, string[]> {
  const seen = new Set<string>();
  const firsts = new Map<string, string[]>();
  for (const { key, value } of records) {
    const { event_id } = JSON.parse(value) as { event_id: string };
    if (seen.has(event_id)) continue;
    seen.add(event_id);
    firsts.set(key, [...(firsts.get(key) ?? []), event_id]);
  }
  return firsts;
}

async function waiting(): Promise<number> {
  const [row] = await database.sql<{ count: number }[]>`
    select count(*)::int as count from outbox where published_at is null`;
  return row?.count ?? 0;
}

/** What was written of each aggregate, in the order in which its row changed. */
async function written(ids: readonly string[]): Promise<Map<string, string[]>> {
  const rows = await database.sql<{ id: string; aggregate_id: string }[]>`
    select id, aggregate_id from outbox where aggregate_id = any (${[...ids]}) order by place`;
  const found = new Map<string, string[]>();
  for (const { id, aggregate_id } of rows) found.set(aggregate_id, [...(found.get(aggregate_id) ?? []), id]);
  return found;
}

/** What is scraped comes to be this. */
async function gauges(metrics: Metrics, expected: { publishing: number; waiting: number }): Promise<void> {
  await eventually(`the gauges say ${JSON.stringify(expected)}`, async () => {
    const scrape = await metrics.render();
    return (
      scrape.includes(`\noutbox_publishing ${expected.publishing}\n`) &&
      scrape.includes(`\noutbox_waiting ${expected.waiting}\n`)
    );
  });
}

const newIds = (count: number) => Array.from({ length: count }, () => uuidV7<string>(Date.now()));

describe('the outbox on Kafka', () => {
  it('publishes by key, as the schema says, with headers, and removes what is old', async () => {
    const [id = ''] = newIds(1);
    await database.pool().write(change, [id, eventOf(id, 'Bakery')]);
    const { metrics } = publisher('one', { retentionMs: 0, removeEveryMs: 10 });
    await eventually('it is gone', async () => {
      const [row] = await database.sql`select count(*)::int as count from outbox where aggregate_id = ${id}`;
      return row?.['count'] === 0;
    });
    const [record] = (await readTopic(broker.brokers, topic)).filter(({ key }) => key === id);
    assert.deepEqual(record?.headers, { event_type: 'merchant.onboarded', schema_version: '1' });
    assert.deepEqual(merchantOnboardedEvent.parse(JSON.parse(record.value)).data, { merchant_id: id, name: 'Bakery' });
    await eventually('it is counted', async () => (await metrics.render()).includes('\noutbox_waiting 0\n'));
    const scrape = await metrics.render();
    for (const line of ['outbox_publishing 1', 'outbox_published_total 1', 'outbox_removed_total 1']) {
      assert.ok(scrape.includes(`\n${line}\n`), line);
    }
  });

  it('announces nothing of what did not come true', async () => {
    const [id = ''] = newIds(1);
    await database
      .pool()
      .write(`with changed as (select 1 where false), ${announce(1, 'changed')} select 1`, [eventOf(id)]);
    await assert.rejects(
      database.pool().write(`${change.replace('select version', 'select version / 0')}`, [id, eventOf(id)]),
    );
    assert.deepEqual(await written([id]), new Map());
  });

  it('keeps the order of each aggregate under many writers, two publishers, and lost connections', async () => {
    const ids = newIds(8);
    // One page is more than ten places, so that texts would stand in another order.
    const publishers = [publisher('a'), publisher('b')];
    const failures = () => Math.max(...publishers.map(({ service }) => service.status().failuresTotal));
    let count = 0;
    // Once does, unless the machine is so fast, or so slow, that no connection was lost at work.
    for (let round = 0; round < ROUNDS_MAX && failures() === 0; round++) {
      count += await meanwhile(live(ids, 150), async () => {
        await database.sql`select pg_terminate_backend(pid) from pg_stat_activity
          where application_name = 'local-plus outbox'`;
        await pause(100);
      });
    }
    assert.ok(failures() > 0, 'connections were lost');
    await eventually('everything is published', async () => (await waiting()) === 0);
    const expected = await written(ids);
    const received = firstsOf((await readTopic(broker.brokers, topic)).filter(({ key }) => ids.includes(key)));
    assert.equal([...received.values()].flat().length, count);
    for (const id of ids) assert.deepEqual(received.get(id), expected.get(id), id);
  });

  it('gives the places of an aggregate in the order in which its row changed', async () => {
    const [id = ''] = newIds(1);
    const pool = database.pool({ connectionsMax: 6 });
    const versions = new Map<string, number>();
    await Promise.all(
      Array.from({ length: 120 }, async () => {
        const event = eventOf(id);
        const [row] = await pool.write<{ version: number }>(change, [id, event]);
        versions.set((JSON.parse(event) as { id: string }).id, row?.version ?? 0);
      }),
    );
    const inOrder = [...versions].sort(([, left], [, right]) => left - right).map(([event]) => event);
    assert.deepEqual((await written([id])).get(id), inOrder);
  });

  it('does not pass by what becomes visible late', async () => {
    const [early = '', late = ''] = newIds(2);
    publisher('late');
    await database.sql.begin(async (slow) => {
      await slow.unsafe(change, [early, eventOf(early)]);
      await database.pool().write(change, [late, eventOf(late)]);
      await eventually('the later one is published', async () => {
        const [row] = await database.sql`select published_at from outbox where aggregate_id = ${late}`;
        return row?.['published_at'] !== null;
      });
    });
    await eventually('and then the earlier one', async () => (await waiting()) === 0);
    const keys = (await readTopic(broker.brokers, topic)).map(({ key }) => key);
    assert.ok(keys.includes(early) && keys.includes(late));
  });

  it('waits while Kafka is away, and lets another publish that reaches it', async () => {
    const [id = ''] = newIds(1);
    const { service, metrics } = publisher('waiting');
    await eventually('it publishes', () => service.status().isPublishing);
    await broker.server.kill();
    await database.pool().write(change, [id, eventOf(id)]);
    await eventually('it says so', () => service.status().failuresTotal > 0);
    await gauges(metrics, { publishing: 0, waiting: 1 });
    const [other = ''] = newIds(1);
    await database.pool().write(change, [other, eventOf(other)]);
    await gauges(metrics, { publishing: 0, waiting: 2 });
    assert.equal(await waiting(), 2);
    assert.match(await metrics.render(), /\noutbox_failures_total [1-9]/);
    await broker.server.start();
    await eventually('Kafka is back', async () => (await waiting()) === 0, 60_000);
    await gauges(metrics, { publishing: 1, waiting: 0 });
    await service.stop(5_000);
    await service.stop(5_000);
    const { service: next } = publisher('next');
    await eventually('another takes over', () => next.status().isPublishing);
  });

  it('lets another publish when who holds the lock stands still, however well its host is', async () => {
    const [first, still, next] = [60_000, 300, 60_000].map(
      (silenceMs) => new PostgresOutboxStore(database.url, { silenceMs }),
    );
    assert.ok(first && still && next);
    // A session that was just ended may be met once more.
    const holds = (store: PostgresOutboxStore) => store.hold().catch(() => false);
    await eventually('the lock is free', () => holds(first));
    assert.equal(await next.hold(), false);
    await first.close();
    await eventually('it is free again', () => holds(still));
    await eventually('the server ends the session', () => holds(next));
    // The lock is given up a moment before the connection: until it sees that, it takes itself for the holder.
    await eventually('it has noticed', async () => !(await holds(still)));
    await Promise.all([still.close(), next.close()]);
    await assert.rejects(next.hold(), /was ended here/);
    assert.throws(() => checkOutboxLimits({ ...outboxLimits, silenceMs: 40_000 }), /does not stand still/);
  });
});
