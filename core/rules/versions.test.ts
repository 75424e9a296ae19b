/** Versions of earn rules over HTTP on a real Postgres: drafted, added to, published, read. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { limits, type ProgramId, wallets, rules as wire } from '@local-plus/contracts';
import { assertProblem, operator, TestStack } from '../test/stack.ts';
import { allPages, parsed, Tenant } from '../test/tenant.ts';
import { RulesDirectory } from './directory.ts';
import { rulesLimits } from './limits.ts';
import { RulesStore } from './store.ts';

const fixed = (id: string, points = 1) => ({ id, currency: 'EUR', effect: { type: 'fixed', points } });
const bought = { purchase: { amount: 1, currency: 'EUR' } };
const daily = (id: string) => ({ ...fixed(id), caps: [{ per: 'day', points: 1 }] });
const many = (count: number, from = 0, of = fixed) =>
  Array.from({ length: count }, (_, place) => of(`r${from + place}`));

describe('versions of earn rules over HTTP', () => {
  const stack = new TestStack();
  let tenant: Tenant;

  before(async () => {
    tenant = await Tenant.open((await stack.serve()).client);
  });
  after(() => stack.stop());

  const pathOf = ({ programId }: Tenant) => `/v1/programs/${programId}/rules`;
  const draft = (of: Tenant, body: object = {}) => of.made(pathOf(of), body, wire.rulesVersion);
  async function publish(of: Tenant, id: string, body: object = {}, key?: string) {
    return parsed(await of.post(`${pathOf(of)}/${id}/publish`, body, key), 200, wire.rulesVersion);
  }
  async function published(of: Tenant, rules: readonly object[], body: object = {}) {
    return publish(of, (await draft(of, { rules })).id, body);
  }

  /** In force in a moment: where the machine stalled until that was over, in twice the time. */
  async function publishSoon(of: Tenant, id: string): Promise<wire.RulesVersion> {
    for (let leadMs = 3_000; leadMs <= 100_000; leadMs *= 2) {
      const effective_from = new Date(Date.now() + leadMs).toISOString();
      const answer = await of.post(`${pathOf(of)}/${id}/publish`, { effective_from });
      if (answer.status === 200) return parsed(answer, 200, wire.rulesVersion);
      assertProblem(answer, 409, 'effective_from_passed');
      assert.ok(Date.now() > Date.parse(effective_from), 'it is refused only when it is over');
    }
    return assert.fail('the machine stalls for minutes');
  }

  it('are drafted with defaults, numbered, added to, and published', async () => {
    const program = await tenant.sibling();
    const first = await draft(program, { rules: [fixed('a')] });
    assert.deepEqual(
      [first.version, first.status, first.name, first.time_zone, first.caps, first.rules_count, first.effective_from],
      [1, 'draft', null, 'UTC', [], 1, null],
    );
    const second = await draft(program, { name: 'Spring', time_zone: 'Europe/Berlin', caps: daily('x').caps });
    assert.deepEqual([second.version, second.name, second.rules_count], [2, 'Spring', 0]);
    const added = await program.made(`${pathOf(program)}/${second.id}/rules`, { rules: many(3) }, wire.rulesVersion);
    assert.deepEqual([added.id, added.rules_count, added.status], [second.id, 3, 'draft']);
    const done = await publish(program, second.id);
    assert.deepEqual([done.status, done.rules_count, done.effective_from], ['published', 3, done.published_at]);
    const read = await program.read(`${pathOf(program)}/${second.id}`, wire.rulesPage);
    assert.deepEqual(read, { ...done, rules: many(3).map((each) => wire.rule.parse(each)), next_cursor: null });
    assert.deepEqual(await program.read(`${pathOf(program)}/current`, wire.rulesPage), read);
  });

  it('are written down in the audit trail when they are published, once', async () => {
    const program = await tenant.sibling();
    const { id } = await draft(program, { rules: [fixed('a')] });
    const key = randomUUID();
    for (let time = 0; time < 2; time++) await publish(program, id, {}, key);
    const sql = stack.sql();
    const entries = await sql<{ after: { rules_id: string; rules_count: number } }[]>`select entry->'after' as after
      from audit_entries where entry->'target'->>'id' = ${program.programId} and entry->>'action' = 'program.rules'`;
    assert.deepEqual(
      entries.map(({ after: { rules_id, rules_count } }) => [rules_id, rules_count]),
      [[id, 1]],
    );
  });

  it('change no more once they are published', async () => {
    const program = await tenant.sibling();
    const { id } = await published(program, [fixed('a')]);
    const path = `${pathOf(program)}/${id}`;
    assertProblem(await program.post(`${path}/rules`, { rules: [fixed('b')] }), 409, 'rules_published');
    assertProblem(await program.post(`${path}/publish`, {}), 409, 'rules_published');
    assert.equal((await program.read(path, wire.rulesPage)).rules.length, 1);
  });

  it('come into force at their moment, the latest one counts, and a version to come can be overtaken', async () => {
    const program = await tenant.sibling();
    const current = () => program.get(`${pathOf(program)}/current`);
    assertProblem(await current(), 409, 'no_rules_in_force');
    const early = await draft(program, { rules: [fixed('next')] });
    const later = { effective_from: new Date(Date.now() + 3_600_000).toISOString() };
    const scheduled = await published(program, [fixed('later')], later);
    assert.equal(scheduled.effective_from, later.effective_from);
    assertProblem(await current(), 409, 'no_rules_in_force');
    const now = await published(program, [fixed('now')]);
    assert.equal(parsed(await current(), 200, wire.rulesPage).id, now.id);
    const next = await publishSoon(program, early.id);
    assert.ok(next.version < now.version);
    while (Date.now() <= Date.parse(next.effective_from ?? '')) await pause(20);
    assert.equal(parsed(await current(), 200, wire.rulesPage).id, next.id);
    const earned = await program.post(`/v1/wallets/${await program.wallet()}/earn`, bought);
    assert.equal(parsed(earned, 201, wallets.transaction).rules_id, next.id);
    const draftId = (await draft(program)).id;
    const past = await program.post(`${pathOf(program)}/${draftId}/publish`, { effective_from: now.effective_from });
    assertProblem(past, 409, 'effective_from_passed');
  });

  it('answer a repetition as the first time, whatever they have become', async () => {
    const program = await tenant.sibling();
    const [one, two, three] = [randomUUID(), randomUUID(), randomUUID()];
    const body = { rules: [fixed('a')] };
    const created = parsed(await program.post(pathOf(program), body, one), 201, wire.rulesVersion);
    const path = `${pathOf(program)}/${created.id}`;
    const added = parsed(await program.post(`${path}/rules`, { rules: many(2) }, two), 201, wire.rulesVersion);
    const done = await publish(program, created.id, {}, three);
    const replays = [
      [await program.post(pathOf(program), body, one), 201, created],
      [await program.post(`${path}/rules`, { rules: many(2) }, two), 201, added],
      [await program.post(`${path}/publish`, {}, three), 200, done],
    ] as const;
    for (const [answer, status, first] of replays) {
      assert.deepEqual(parsed(answer, status, wire.rulesVersion), first);
      assert.equal(answer.headers.get('idempotent-replayed'), 'true');
    }
    const other = { effective_from: new Date(Date.now() + 60_000).toISOString() };
    const reused = [
      await program.post(pathOf(program), { rules: [fixed('b')] }, one),
      await program.post(`${path}/rules`, { rules: many(3) }, two),
      await program.post(`${path}/publish`, other, three),
    ];
    for (const answer of reused) assertProblem(answer, 422, 'idempotency_key_reused');
  });

  it('take an addition once, and every version its own number, however many come at once', async () => {
    const program = await tenant.sibling();
    const { id } = await draft(program);
    const path = `${pathOf(program)}/${id}/rules`;
    const key = randomUUID();
    const same = await Promise.all(Array.from({ length: 8 }, () => program.post(path, { rules: many(5) }, key)));
    for (const answer of same) assert.equal(parsed(answer, 201, wire.rulesVersion).rules_count, 5);
    assert.equal(same.filter(({ headers }) => headers.has('idempotent-replayed')).length, 7);
    const others = await Promise.all(
      Array.from({ length: 8 }, (_, index) => program.post(path, { rules: many(5, 5 * (index + 1)) })),
    );
    const counts = others.map((answer) => parsed(answer, 201, wire.rulesVersion).rules_count);
    assert.deepEqual(
      counts.sort((one, other) => one - other),
      [10, 15, 20, 25, 30, 35, 40, 45],
    );
    const read = await program.read(`${pathOf(program)}/${id}?limit=100`, wire.rulesPage);
    assert.equal(new Set(read.rules.map((each) => each.id)).size, 45);
    const drafts = await Promise.all(Array.from({ length: 8 }, () => draft(program)));
    const numbers = drafts.map(({ version }) => version).sort((one, other) => one - other);
    assert.deepEqual(numbers, [2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('are those of the moment also when the clock steps back (F4)', async () => {
    const program = await tenant.sibling();
    const programId = program.programId as ProgramId;
    const [startMs, hourMs] = [Date.now(), 3_600_000];
    const sql = stack.sql();
    for (const fromMs of [startMs - 2 * hourMs, startMs - 3_000]) {
      const { id } = await published(program, [fixed('a')]);
      await sql`update rule_versions set effective_from = ${new Date(fromMs)} where id = ${id}`;
    }
    const store = new RulesStore(stack.pool());
    let reads = 0;
    const inForce: RulesStore['inForce'] = (id, moment) => {
      reads++;
      return store.inForce(id, moment);
    };
    const rules: RulesStore['rules'] = (...of) => store.rules(...of);
    const directory = new RulesDirectory({ store: { inForce, rules }, monotonicMs: () => 0 });
    const steps = [
      [0, 2, 1],
      // Set right by some seconds: nobody has to read for that.
      [-5_000, 1, 1],
      [-hourMs, 1, 2],
      [-3 * hourMs, undefined, 3],
      [0, 2, 3],
    ] as const;
    for (const [step, version, read] of steps) {
      const found = await directory.find(programId, startMs + step);
      assert.deepEqual([found?.version, reads], [version, read], `${step} ms`);
    }
    const both = await Promise.all([startMs, startMs - hourMs].map((ms) => directory.version(programId, ms)));
    assert.deepEqual(
      both.map((row) => row?.version),
      [2, 1],
      'a read that is under way is shared by those only of whose moment it knows',
    );
  });

  it('are read page by page, and not on with the cursor of another version', async () => {
    const program = await tenant.sibling();
    const { id } = await published(program, many(5));
    const pages = await allPages((cursor) =>
      program.read(`${pathOf(program)}/current?limit=2${cursor}`, wire.rulesPage),
    );
    const seen = pages.flatMap(({ rules }) => rules.map((each) => each.id));
    assert.deepEqual(seen, ['r0', 'r1', 'r2', 'r3', 'r4']);
    const { next_cursor } = await program.read(`${pathOf(program)}/${id}?limit=2`, wire.rulesPage);
    const other = await published(program, many(5));
    for (const target of [`${other.id}?cursor=${next_cursor}`, `current?cursor=${next_cursor}`, `${id}?cursor=x`]) {
      assertProblem(await program.get(`${pathOf(program)}/${target}`), 400, 'invalid_cursor');
    }
    const newest = await program.read(`${pathOf(program)}?limit=1`, wire.rulesVersionPage);
    assert.deepEqual([newest.data.map(({ version }) => version), newest.next_cursor], [[2], '1']);
    const oldest = await program.read(`${pathOf(program)}?limit=1&cursor=1`, wire.rulesVersionPage);
    assert.deepEqual([oldest.data.map(({ version }) => version), oldest.next_cursor], [[1], null]);
    assertProblem(await program.get(`${pathOf(program)}?cursor=0`), 400, 'invalid_cursor');
  });

  it('have each id once, and no more rules than they may', async () => {
    const program = await tenant.sibling();
    const { id } = await draft(program, { rules: [fixed('a')] });
    const path = `${pathOf(program)}/${id}/rules`;
    assertProblem(await program.post(path, { rules: [fixed('b'), fixed('a')] }), 409, 'rule_id_taken');
    assertProblem(await program.post(path, { rules: [fixed('b'), fixed('b')] }), 400, 'invalid_request');
    assert.equal((await program.read(`${pathOf(program)}/${id}`, wire.rulesPage)).rules.length, 1);
    for (let count = 0; count < rulesLimits.cappedRulesMax; count += 50) {
      await program.made(path, { rules: many(50, count, daily) }, wire.rulesVersion);
    }
    assertProblem(await program.post(path, { rules: [daily('one-more')] }), 409, 'rules_limit_exceeded');
    await program.made(path, { rules: [fixed('one-more')] }, wire.rulesVersion);
    assert.ok(limits.rulesMax >= rulesLimits.cappedRulesMax);
  });

  it('belong to their tenant and their program', async () => {
    const stranger = await Tenant.open(tenant.client);
    const sibling = await tenant.sibling();
    const { id } = await published(tenant, [fixed('a')]);
    const rules = { rules: [fixed('b')] };
    for (const [who, path] of [
      [stranger, pathOf(tenant)],
      [tenant, `/v1/programs/${randomUUID()}/rules`],
    ] as const) {
      assertProblem(await who.get(path), 404, 'not_found');
      assertProblem(await who.post(path, rules), 404, 'not_found');
      assertProblem(await who.get(`${path}/current`), 404, 'not_found');
    }
    for (const [who, path] of [
      [stranger, `${pathOf(tenant)}/${id}`],
      [stranger, `${pathOf(stranger)}/${id}`],
      [tenant, `${pathOf(sibling)}/${id}`],
      [tenant, `${pathOf(tenant)}/${randomUUID()}`],
    ] as const) {
      assertProblem(await who.get(path), 404, 'not_found');
      assertProblem(await who.post(`${path}/rules`, rules), 404, 'not_found');
      assertProblem(await who.post(`${path}/publish`, {}), 404, 'not_found');
    }
    parsed(await tenant.client.get(`${pathOf(tenant)}/${id}`, { caller: operator }), 200, wire.rulesPage);
    const reader = { ...tenant.caller, scopes: ['programs:read'] as const };
    const refused = await tenant.client.post(pathOf(tenant), rules, { caller: reader });
    assertProblem(refused, 403, 'forbidden');
  });

  const wrong: readonly (readonly [string, object, string])[] = [
    ['a time zone that is none', { time_zone: 'Europe/Atlantis' }, '/time_zone'],
    ['an offset for a time zone', { time_zone: '+01:00' }, '/time_zone'],
    ['a period twice', { caps: [...daily('a').caps, ...daily('a').caps] }, '/caps'],
    ['a fraction of a point', { rules: [fixed('a', 1.5)] }, '/rules/0/effect/points'],
    ['no points', { rules: [fixed('a', 0)] }, '/rules/0/effect/points'],
    ['an id that is a counter of ours', { rules: [fixed('*/day')] }, '/rules/0/id'],
    [
      'a multiplier that makes less',
      { rules: [{ ...fixed('a'), effect: { type: 'multiplier', numerator: 2, denominator: 3 } }] },
      '/rules/0/effect/numerator',
    ],
    [
      'a multiplier of lines',
      {
        rules: [{ ...fixed('a'), conditions: { skus: ['x'] }, effect: { type: 'multiplier', numerator: 2 } }],
      },
      '/rules/0/conditions',
    ],
    [
      'an empty range',
      { rules: [{ ...fixed('a'), conditions: { amount: { min: 2, max: 1 } } }] },
      '/rules/0/conditions/amount/max',
    ],
    [
      'half past 24',
      { rules: [{ ...fixed('a'), conditions: { times: { to: '24:30' } } }] },
      '/rules/0/conditions/times/to',
    ],
    ['a tier', { rules: [{ ...fixed('a'), conditions: { tier: 'gold' } }] }, '/rules/0/conditions/tier'],
    ['too many rules at once', { rules: many(limits.rulesPerRequestMax + 1) }, '/rules'],
  ];
  for (const [name, body, pointer] of wrong) {
    it(`refuse ${name}, and point at it`, async () => {
      const problem = assertProblem(await tenant.post(pathOf(tenant), body), 400, 'invalid_request');
      assert.equal(problem.errors?.[0]?.pointer, pointer);
    });
  }
});
