/**
 * What a test's core has written beside the rows that the test looks at: each event is what its schema in contracts says, each
 * audit trail is a whole chain, and neither holds what looks like a person's address.
 */
import assert from 'node:assert/strict';
import { type AnnouncedEventType, announcedEvents } from '@local-plus/contracts';
import postgres from 'postgres';
import { walk } from '../audit/chain.ts';

interface EventRow {
  readonly event_type: string;
  readonly aggregate_id: string;
  readonly payload: { readonly event_type: string };
}

interface TrailRow {
  readonly trail: string;
  readonly place: number;
  readonly entry: string;
  readonly hash: string;
}

const ADDRESS = /[^\s"@]@[^\s"@]/;

export async function assertWritten(databaseUrl: string): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  try {
    await assertEvents(sql);
    await assertTrails(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function assertEvents(sql: postgres.Sql): Promise<void> {
  const rows = await sql<EventRow[]>`select event_type, aggregate_id, payload from outbox order by place`;
  for (const { event_type: topic, aggregate_id, payload } of rows) {
    const known = Object.hasOwn(announcedEvents, payload.event_type)
      ? announcedEvents[payload.event_type as AnnouncedEventType]
      : assert.fail(`contracts/events.ts does not know of ${payload.event_type}`);
    assert.equal(topic, known.topic, `${payload.event_type} goes to one topic`);
    assert.notEqual(aggregate_id, '', 'what orders has a name');
    known.schema.parse(payload);
    assert.doesNotMatch(JSON.stringify(payload), ADDRESS, payload.event_type);
  }
}

async function assertTrails(sql: postgres.Sql): Promise<void> {
  const rows = await sql<TrailRow[]>`
    select trail, place::int as place, entry::text as entry, encode(hash, 'hex') as hash
    from audit_entries order by trail, audit_entries.place`;
  for (const [trail, entries] of Map.groupBy(rows, (row) => row.trail)) {
    assert.equal(walk(trail, { place: 0, hash: null }, entries).broken, null, `the trail of ${trail}`);
    for (const { entry } of entries) assert.doesNotMatch(entry, ADDRESS);
  }
}
