/**
 * Whoever is another merchant finds nothing: for every route whose path names something of a tenant the answer is 404, as for
 * what does not exist, and no table gains or loses a row. Made from the table of routes: a new one is in here, or it fails.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type Route, type RouteId, routes } from '@local-plus/contracts';
import type postgres from 'postgres';
import { type Answer, assertProblem, type Caller, eventually, type SignedClient, TestStack } from './test/stack.ts';
import { endings, World } from './test/tenancy-world.ts';

type Counts = Readonly<Record<string, number>>;

/** How often a request is sent again when a table moved: what works in the background moves tables, too, but not each time. */
const ROUNDS_MAX = 8;
/** Nothing works in the background when no table moves for so long. */
const CALM_MS = 150;

const named = (Object.entries(routes) as [RouteId, Route][]).filter(([, { path }]) => path.includes('{'));

describe('another merchant', () => {
  const stack = new TestStack();
  let client: SignedClient;
  let sql: postgres.Sql;
  let world: World;
  let stranger: Caller;

  before(async () => {
    ({ client } = await stack.serve());
    sql = stack.sql();
    world = await World.open(client);
    stranger = (await World.open(client)).caller;
  });
  after(() => stack.stop());

  async function counts(): Promise<Counts> {
    const tables = await sql<{ name: string }[]>`
      select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1`;
    const each = tables.map(({ name }) => `select '${name}' as name, count(*)::int as rows from "${name}"`);
    const rows = await sql.unsafe<{ name: string; rows: number }[]>(each.join(' union all '));
    return Object.fromEntries(rows.map((row) => [row.name, row.rows]));
  }

  const movedBetween = (before: Counts, now: Counts) =>
    Object.keys(now).filter((table) => now[table] !== before[table]);

  /** What follows from earlier requests has happened. */
  async function calm(): Promise<void> {
    let before = await counts();
    await eventually('no table moves', async () => {
      await pause(CALM_MS);
      const now = await counts();
      const isCalm = movedBetween(before, now).length === 0;
      before = now;
      return isCalm;
    });
  }

  /** Everything that the request is about is there before it is sent. */
  async function request(routeId: RouteId): Promise<(caller: Caller) => Promise<Answer>> {
    const { method, idempotent }: Route = routes[routeId];
    const [target, body] = [await world.target(routeId), await world.body(routeId)];
    const key = idempotent ? { key: randomUUID() } : {};
    return (caller) => client.send(method, target, { caller, ...key, ...(body === undefined ? {} : { body }) });
  }

  async function askUnmoved(routeId: RouteId): Promise<Answer> {
    for (let round = 1; ; round++) {
      const send = await request(routeId);
      if (round > 1) await calm();
      const before = await counts();
      const answer = await send(stranger);
      const moved = movedBetween(before, await counts());
      if (moved.length === 0) return answer;
      assert.ok(round < ROUNDS_MAX, `${routeId} moves ${moved.join(', ')}`);
    }
  }

  for (const [routeId, { scope }] of named) {
    // What is public is everybody's.
    if (scope === null) continue;
    it(`finds nothing by ${routeId}, and whose it is does`, async () => {
      const answer = await askUnmoved(routeId);
      if (scope === 'admin') {
        assertProblem(answer, 403, 'forbidden');
        return;
      }
      assertProblem(answer, 404, 'not_found');
      if (endings.has(routeId)) return;
      const own = await (await request(routeId))(world.caller);
      assert.ok(own.status < 300 || own.status === 409, `whose it is gets ${own.status} ${own.text}`);
    });
  }
});
