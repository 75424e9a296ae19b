/** Tiers over HTTP on a real Postgres: set, reached, lost, announced. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import { limits, type ProgramId, rules, tierChangedEvent, wallets, tiers as wire } from '@local-plus/contracts';
import type postgres from 'postgres';
import { assertProblem, eventually, operator, TestStack } from '../test/stack.ts';
import { parsed, Tenant } from '../test/tenant.ts';
import { wellWithinDay } from '../test/time.ts';
import { DAY_MS, dayOf } from './domain.ts';
import { tierLimits } from './limits.ts';
import { TierStore } from './store.ts';

const month = { period: 'days', count: 30 } as const;
const silver = { id: 'silver', name: 'Silver', points: 100 };
const gold = { id: 'gold', name: 'Gold', points: 300 };
const usual = { window: month, grace_days: 5, tiers: [silver, gold] };

describe('tiers over HTTP', () => {
  const stack = new TestStack();
  let tenant: Tenant;
  let sql: postgres.Sql;

  before(async () => {
    tenant = await Tenant.open((await stack.serve()).client);
    sql = stack.sql();
  });
  after(() => stack.stop());
  beforeEach(wellWithinDay);

  const pathOf = ({ programId }: Tenant) => `/v1/programs/${programId}/tiers`;
  const set = (of: Tenant, body: object = usual) => of.made(pathOf(of), body, wire.tierScheme);
  const tierOf = (of: Tenant, wallet: string) => of.read(`/v1/wallets/${wallet}/tier`, wire.walletTier);
  const earn = (of: Tenant, wallet: string, amount: number) =>
    of.made(`/v1/wallets/${wallet}/earn`, { amount }, wallets.transaction);
  const changesOf = async (of: Tenant, wallet: string) =>
    (await of.read(`/v1/wallets/${wallet}/tier/changes`, wire.tierChangePage)).data;
  /** What is written down, once the follower has been there. */
  async function changed(of: Tenant, wallet: string, count: number): Promise<wire.TierChange[]> {
    await eventually(`${count} changes`, async () => (await changesOf(of, wallet)).length >= count);
    const changes = await changesOf(of, wallet);
    assert.equal(changes.length, count);
    return changes;
  }
  const brief = (changes: readonly wire.TierChange[]) =>
    changes.map(({ from_tier, to_tier, cause, points }) => `${from_tier} → ${to_tier}, ${cause}, ${points}`);
  /** All that the wallet did was so many days earlier. */
  async function older(wallet: string, days: number): Promise<void> {
    await sql`update transactions set occurred_at = occurred_at - ${days} * interval '1 day' where account_id = ${wallet}`;
    await sql`update wallet_tiers set day = day - ${days}, due_day = due_day - ${days},
        since = since - ${days} * interval '1 day', days = (
          select json_agg(json_build_array((each->>0)::int - ${days}, each->1)) from json_array_elements(days) as each)
      where account_id = ${wallet}`;
  }
  const eventsOf = (wallet: string) =>
    sql<{ payload: unknown; event_type: string }[]>`select payload, event_type from outbox
      where aggregate_id = ${wallet} order by place`;

  it('are set, read, and listed with those that held before', async () => {
    const program = await tenant.sibling();
    assertProblem(await program.get(pathOf(program)), 409, 'no_tiers');
    const first = await set(program);
    const { created_at: _, ...rest } = first;
    assert.deepEqual(rest, { program_id: program.programId, version: 1, ...usual });
    const second = await set(program, { window: { period: 'months', count: 12 }, tiers: [] });
    assert.deepEqual([second.version, second.grace_days, second.tiers], [2, 0, []]);
    assert.deepEqual(await program.read(pathOf(program), wire.tierScheme), second);
    const page = await program.read(`${pathOf(program)}/versions?limit=1`, wire.tierSchemePage);
    assert.deepEqual(page, { data: [second], next_cursor: '1' });
    const rest2 = await program.read(`${pathOf(program)}/versions?cursor=1`, wire.tierSchemePage);
    assert.deepEqual(rest2, { data: [first], next_cursor: null });
    assertProblem(await program.get(`${pathOf(program)}/versions?cursor=x`), 400, 'invalid_cursor');
    const audit = await sql<{ before: { grace_days: number } | null }[]>`select entry->'before' as before
      from audit_entries where entry->>'action' = 'program.tiers'
        and entry->'target'->>'id' = ${program.programId} order by place`;
    assert.deepEqual(
      audit.map(({ before: each }) => each?.grace_days ?? null),
      [null, 5],
    );
  });

  it('tell the trail what was before each change, however many come at once', async () => {
    const program = await tenant.sibling();
    await Promise.all(Array.from({ length: 8 }, (_, grace_days) => set(program, { ...usual, grace_days })));
    const { data } = await program.read(`${pathOf(program)}/versions?limit=100`, wire.tierSchemePage);
    const graces = data.map(({ grace_days }) => grace_days).reverse();
    const audit = await sql<{ before: number | null; after: number }[]>`
      select (entry->'before'->>'grace_days')::int as before, (entry->'after'->>'grace_days')::int as after
      from audit_entries where entry->>'action' = 'program.tiers'
        and entry->'target'->>'id' = ${program.programId} order by place`;
    assert.deepEqual(
      audit.map(({ before: each, after: next }) => [each, next]),
      graces.map((each, index) => [graces[index - 1] ?? null, each]),
    );
  });

  it('are applied for however many programs, page by page, and what is done is not read again', async () => {
    const store = new TierStore(stack.pool());
    const count = 2 * tierLimits.programsMax + 50;
    await sql`insert into tier_programs (program_id, version) select gen_random_uuid(), 1 from generate_series(1, ${count})`;
    const nil = '00000000-0000-0000-0000-000000000000' as ProgramId;
    /** What has to be done of all programs, in steps. */
    const steps = async (): Promise<number> => {
      const [left] = await sql<{ steps: number }[]>`select (count(*) filter (where not is_walked)
        + count(*) filter (where applied_version < version))::int as steps from tier_programs`;
      return left?.steps ?? 0;
    };
    /** However slow the machine is, as long as it goes on. */
    async function allDone(): Promise<void> {
      for (let left = await steps(); left > 0; ) {
        const before = left;
        await eventually('another step is done', async () => {
          left = await steps();
          return left < before;
        });
      }
      assert.equal((await store.unfinished(nil, 1)).length, 0);
    }
    await allDone();
    await sql`update tier_programs set version = 2, applied_version = 1 where version = 1
      and program_id not in (select program_id from tier_schemes)`;
    await allDone();
    const [applied] = await sql`select count(*)::int as count from tier_programs where applied_version = 2`;
    assert.ok(applied?.['count'] >= count);
    await sql`delete from tier_programs where program_id not in (select program_id from tier_schemes)`;
  });

  it('refuse what is no ladder, and point at it', async () => {
    const wrong: readonly (readonly [object, string])[] = [
      [{ tiers: [gold, silver] }, '/tiers'],
      [{ tiers: [silver, { ...gold, points: 100 }] }, '/tiers'],
      [{ tiers: [silver, { ...gold, id: 'silver' }] }, '/tiers'],
      [{ tiers: [{ ...silver, points: 0 }] }, '/tiers/0/points'],
      [{ window: { period: 'days', count: 732 } }, '/window/count'],
      [{ window: { period: 'months', count: 25 } }, '/window/count'],
      [{ grace_days: 367 }, '/grace_days'],
    ];
    for (const [members, pointer] of wrong) {
      const { errors } = assertProblem(
        await tenant.post(pathOf(tenant), { ...usual, ...members }),
        400,
        'invalid_request',
      );
      assert.equal(errors?.[0]?.pointer, pointer, JSON.stringify(members));
    }
  });

  it('are set once for a key, numbered without gaps, and bounded', async () => {
    const program = await tenant.sibling();
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 5 }, () => program.post(pathOf(program), usual, key)));
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
    assertProblem(await program.post(pathOf(program), { ...usual, grace_days: 6 }, key), 422, 'idempotency_key_reused');
    const more = await Promise.all(Array.from({ length: 5 }, () => set(program)));
    assert.deepEqual(more.map(({ version }) => version).sort(), [2, 3, 4, 5, 6]);
    await sql`insert into tier_schemes select program_id, n, window_period, window_count, grace_days, tiers, creator,
        program_id || ' ' || n, request_hash, created_at
      from tier_schemes, generate_series(7, ${limits.tierSchemesMax}) as n
      where program_id = ${program.programId} and version = 1`;
    assertProblem(await program.post(pathOf(program), usual), 409, 'versions_limit_exceeded');
  });

  it('are reached at once, lost by a reversal, and say what is missing and until when they are safe', async () => {
    const program = await tenant.sibling();
    await set(program);
    const wallet = await program.wallet(99);
    const none = await tierOf(program, wallet);
    assert.deepEqual([none.tier, none.since, none.points, none.safe_until], [null, null, 99, null]);
    assert.deepEqual(none.next, { ...silver, missing: 1 });
    await program.made(`/v1/wallets/${wallet}/burn`, { amount: 50 }, wallets.transaction);
    const promoting = await earn(program, wallet, 1);
    const reached = await tierOf(program, wallet);
    const safeUntil = new Date((dayOf(Date.parse(promoting.created_at)) + 35) * DAY_MS).toISOString();
    assert.deepEqual([reached.tier, reached.since], [silver, promoting.created_at]);
    assert.deepEqual([reached.points, reached.safe_until], [100, safeUntil]);
    assert.deepEqual(reached.next, { ...gold, missing: 200 });
    const more = await earn(program, wallet, 250);
    const top = await tierOf(program, wallet);
    assert.deepEqual([top.tier, top.next, top.points], [gold, null, 350]);
    const back = { amount: 51 };
    await program.made(`/v1/transactions/${more.id}/reverse`, back, wallets.transaction);
    const fallen = await tierOf(program, wallet);
    assert.deepEqual([fallen.tier, fallen.points, fallen.next], [silver, 299, { ...gold, missing: 1 }]);
    const changes = await changed(program, wallet, 3);
    assert.deepEqual(brief(changes), [
      'gold → silver, reversal, 299',
      'silver → gold, earn, 350',
      'null → silver, earn, 100',
    ]);
    assert.deepEqual(
      changes.map(({ place, direction }) => [place, direction]),
      [
        [3, 'demotion'],
        [2, 'promotion'],
        [1, 'promotion'],
      ],
    );
    assert.equal(changes[2]?.at, promoting.created_at);
    const pages = await program.read(`/v1/wallets/${wallet}/tier/changes?limit=2`, wire.tierChangePage);
    assert.deepEqual([pages.data.length, pages.next_cursor], [2, '1']);
    assertProblem(await program.get(`/v1/wallets/${wallet}/tier/changes?cursor=x`), 400, 'invalid_cursor');
  });

  it('are announced once each, in order, as the schema says', async () => {
    const program = await tenant.sibling();
    await set(program);
    const wallet = await program.wallet(150);
    await earn(program, wallet, 150);
    const changes = await changed(program, wallet, 2);
    const events = (await eventsOf(wallet)).map(({ payload }) => tierChangedEvent.parse(payload));
    const header = { wallet_id: wallet, program_id: program.programId };
    assert.deepEqual(
      events.map(({ data }) => data),
      changes.reverse().map((each) => ({ ...header, ...each })),
    );
    const rows = await sql<{ correlation_id: string }[]>`select correlation_id from transactions
      where account_id = ${wallet} order by version`;
    assert.deepEqual(
      events.map(({ correlation_id }) => correlation_id),
      rows.map(({ correlation_id }) => correlation_id),
    );
  });

  it('count what was earned before there were any, once', async () => {
    const program = await tenant.sibling();
    const [rich, poor, late] = [await program.wallet(400), await program.wallet(10), await program.wallet(400)];
    await older(late, 40);
    const { created_at } = await set(program);
    const changes = await changed(program, rich, 1);
    assert.deepEqual(brief(changes), ['null → gold, tiers, 400']);
    assert.equal(changes[0]?.at, created_at);
    assert.equal((await tierOf(program, poor)).tier, null);
    await eventually('all of its wallets were looked at', async () => {
      const [row] = await sql`select is_walked from tier_programs where program_id = ${program.programId}`;
      return row?.['is_walked'] === true;
    });
    assert.deepEqual([(await tierOf(program, late)).tier, (await changesOf(program, late)).length], [null, 0]);
    assert.equal((await changesOf(program, rich)).length, 1);
  });

  it('fall when the window bears them no more and the grace is over, without anybody asking', async () => {
    const program = await tenant.sibling();
    await set(program);
    const wallet = await program.wallet(300);
    await changed(program, wallet, 1);
    await older(wallet, 34);
    const graced = await tierOf(program, wallet);
    assert.deepEqual([graced.tier, graced.points, graced.next], [gold, 0, null], 'in its last day of grace');
    await older(wallet, 1);
    assert.equal((await tierOf(program, wallet)).tier, null);
    const [fall] = await changed(program, wallet, 2);
    assert.deepEqual([fall?.from_tier, fall?.to_tier, fall?.cause, fall?.points], ['gold', null, 'time', 0]);
    assert.equal(fall?.at, new Date(dayOf(Date.now()) * DAY_MS).toISOString());
    assert.equal((await eventsOf(wallet)).length, 2);
  });

  it('are others for all wallets when the program gets others', async () => {
    const program = await tenant.sibling();
    await set(program);
    const some = [await program.wallet(100), await program.wallet(299), await program.wallet(1)];
    await changed(program, some[0] ?? '', 1);
    await changed(program, some[1] ?? '', 1);
    await set(program, { ...usual, tiers: [{ ...silver, points: 200 }] });
    const [lost] = await changed(program, some[0] ?? '', 2);
    assert.deepEqual([lost?.to_tier, lost?.cause, lost?.tiers_version], [null, 'tiers', 2]);
    await eventually('all of its wallets have the new ones', async () => {
      const [row] = await sql`select applied_version from tier_programs where program_id = ${program.programId}`;
      return row?.['applied_version'] === 2;
    });
    assert.equal((await changesOf(program, some[1] ?? '')).length, 1, 'who stays is told nothing');
    assert.equal((await tierOf(program, some[1] ?? '')).tiers_version, 2);
  });

  it('are what earn rules can ask for, and quotes explain', async () => {
    const program = await tenant.sibling();
    await set(program);
    const base = { id: 'base', currency: 'EUR', effect: { type: 'points_per_amount', points: 1, per: 100 } };
    const double = {
      id: 'double',
      currency: 'EUR',
      conditions: { tiers: ['gold', 'platinum'] },
      effect: { type: 'multiplier', numerator: 2 },
    };
    const draft = await program.made(
      `/v1/programs/${program.programId}/rules`,
      { rules: [base, double] },
      rules.rulesVersion,
    );
    await program.post(`/v1/programs/${program.programId}/rules/${draft.id}/publish`, {});
    const purchase = { amount: 1_000, currency: 'EUR' };
    const quoteOf = async (wallet_id?: string) => {
      const body = wallet_id === undefined ? { purchase } : { purchase, wallet_id };
      return parsed(await program.post(`/v1/programs/${program.programId}/quote`, body), 200, rules.quoted);
    };
    const [member, stranger] = [await program.wallet(300), await program.wallet(299)];
    await changed(program, member, 1);
    const quoted = await quoteOf(member);
    assert.deepEqual([quoted.tier, quoted.points], ['gold', 20]);
    for (const other of [await quoteOf(stranger), await quoteOf()]) {
      assert.equal(other.points, 10);
      assert.equal(other.rules.find(({ id }) => id === 'double')?.unmatched_by, 'tiers');
    }
    const earned = await program.made(`/v1/wallets/${member}/earn`, { purchase }, wallets.transaction);
    assert.equal(earned.amount, 20);
  });

  it('are hidden from other merchants', async () => {
    const program = await tenant.sibling();
    assertProblem(await program.get(`/v1/wallets/${await program.wallet()}/tier`), 409, 'no_tiers');
    await set(program);
    const wallet = await program.wallet(100);
    const stranger = await Tenant.open(tenant.client);
    for (const target of [
      pathOf(program),
      `${pathOf(program)}/versions`,
      `/v1/wallets/${wallet}/tier`,
      `/v1/wallets/${wallet}/tier/changes`,
      `/v1/wallets/${randomUUID()}/tier`,
    ]) {
      assertProblem(await stranger.get(target), 404, 'not_found');
    }
    assertProblem(await stranger.post(pathOf(program), usual), 404, 'not_found');
    assert.equal((await tenant.client.get(`/v1/wallets/${wallet}/tier`, { caller: operator })).status, 200);
  });
});
