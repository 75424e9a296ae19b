/** Versions of programs over HTTP on a real Postgres: what an earn gets is decided by the one in force. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { limits, merchants, type ProgramId, programs, wallets } from '@local-plus/contracts';
import type postgres from 'postgres';
import { Batcher } from '../platform/batching/index.ts';
import { assertProblem, operator, TestStack } from '../test/stack.ts';
import { parsed, Tenant } from '../test/tenant.ts';
import { ProgramDirectory } from './directory.ts';
import { ProgramStore, type ScheduledProgram } from './store.ts';

const months = (count: number) => ({ period: 'months', count, end_of_month: false }) as const;
const changed = { point_expiry: months(24), reversal_policy: { type: 'recover' }, hold_expires_in_s: 120 } as const;

describe('versions of programs over HTTP', () => {
  const stack = new TestStack();
  let tenant: Tenant;
  let sql: postgres.Sql;

  before(async () => {
    tenant = await Tenant.open((await stack.serve()).client);
    sql = stack.sql();
  });
  after(() => stack.stop());

  const pathOf = ({ programId }: Tenant) => `/v1/programs/${programId}/versions`;
  const change = (of: Tenant, body: object = {}) =>
    of.made(pathOf(of), { ...changed, ...body }, programs.programVersion);

  it('begin with what the program was created with, and are listed newest first', async () => {
    const program = await tenant.sibling({ point_expiry: months(12) });
    const first = parsed(await program.get(`${pathOf(program)}/${program.programId}`), 200, programs.programVersion);
    assert.deepEqual([first.version, first.point_expiry, first.effective_from], [1, months(12), first.created_at]);
    const second = await change(program);
    const third = await change(program, { hold_expires_in_s: 240, effective_from: '2999-01-01T00:00:00+01:00' });
    assert.deepEqual([second.version, third.version, third.effective_from], [2, 3, '2998-12-31T23:00:00.000Z']);
    const { point_expiry, reversal_policy, hold_expires_in_s } = second;
    assert.deepEqual({ point_expiry, reversal_policy, hold_expires_in_s }, changed);
    const page = await program.read(`${pathOf(program)}?limit=2`, programs.programVersionPage);
    assert.deepEqual(page.data, [third, second]);
    const rest = await program.read(
      `${pathOf(program)}?limit=2&cursor=${page.next_cursor}`,
      programs.programVersionPage,
    );
    assert.deepEqual(rest, { data: [first], next_cursor: null });
    assert.deepEqual(await program.read(`${pathOf(program)}/${third.id}`, programs.programVersion), third);
    assertProblem(await program.get(`${pathOf(program)}?cursor=x`), 400, 'invalid_cursor');
  });

  it('come into force a minute later at the soonest, by the clock of the database', async () => {
    const program = await tenant.sibling();
    const beforeMs = Date.now();
    const { effective_from } = await change(program);
    const leadMs = Date.parse(effective_from) - beforeMs;
    assert.ok(leadMs >= limits.programVersionLeadMs - 1_000, `${leadMs} ms`);
    const soon = new Date(Date.now() + limits.programVersionLeadMs - 5_000).toISOString();
    const refused = await program.post(pathOf(program), { ...changed, effective_from: soon });
    assertProblem(refused, 409, 'effective_from_too_soon');
    assert.equal((await program.read(pathOf(program), programs.programVersionPage)).data.length, 2);
  });

  it('decide what an earn gets when it is decided; older points keep theirs', async () => {
    const program = await tenant.sibling({ point_expiry: months(12) });
    const wallet = await program.wallet(10);
    const { id } = await change(program);
    await program.made(`/v1/wallets/${wallet}/earn`, { amount: 20 }, wallets.transaction);
    // Its minute is over: for a process that reads it now, as for one that has read it before.
    await sql`update program_versions set effective_from = now() where id = ${id}`;
    const { client } = await stack.startCore({ WRITER_ID: '2' });
    const elsewhere = await tenant.sibling();
    elsewhere.client = client;
    const answer = await elsewhere.post(`/v1/wallets/${wallet}/earn`, { amount: 30 });
    parsed(answer, 201, wallets.transaction);
    const lots = await sql<{ version: number; months: number }[]>`
      select version::int, (((detail->'lots'->0->>0)::int - floor(extract(epoch from occurred_at) / 86400)::int) / 30)::int
        as months from transactions where account_id = ${wallet} order by version`;
    assert.deepEqual(
      lots.map(({ months: count }) => count),
      [12, 12, 24],
    );
    const shown = parsed(await elsewhere.get(`/v1/programs/${program.programId}`), 200, merchants.program);
    assert.deepEqual([shown.point_expiry, shown.hold_expires_in_s], [months(24), 120]);
  });

  it('are those of the moment also when the clock steps back (V3)', async () => {
    const program = await tenant.sibling({ hold_expires_in_s: 100 });
    const programId = program.programId as ProgramId;
    const [startMs, hourMs] = [Date.now(), 3_600_000];
    for (const [seconds, fromMs] of [
      [200, startMs - 2 * hourMs],
      [300, startMs - 3_000],
    ] as const) {
      const { id } = await change(program, { hold_expires_in_s: seconds });
      await sql`update program_versions set effective_from = ${new Date(fromMs)} where id = ${id}`;
    }
    const store = new ProgramStore(stack.pool());
    let [nowMs, reads] = [startMs, 0];
    const rows = new Batcher<ProgramId, ScheduledProgram | null>({
      ...{ batchMax: 1, waitingMax: 1, concernsAll: () => true, refusal: () => new Error('full') },
      run: (ids) => {
        reads++;
        return store.scheduled(ids, nowMs);
      },
    });
    const directory = new ProgramDirectory({ rows, heldMax: 1, nowMs: () => nowMs, monotonicMs: () => 0 });
    const steps = [
      [0, 300, 1],
      // Set right by some seconds: nobody has to read for that.
      [-5_000, 200, 1],
      [-hourMs, 200, 2],
      [-3 * hourMs, 100, 3],
      [0, 300, 3],
    ] as const;
    for (const [step, seconds, read] of steps) {
      nowMs = startMs + step;
      const facts = await directory.find(programId);
      assert.deepEqual([facts?.rules.holdExpiresInS, reads], [seconds, read], `${step} ms`);
    }
  });

  it('are created once for a key, numbered without gaps whoever asks at once, and bounded', async () => {
    const program = await tenant.sibling();
    const key = randomUUID();
    const send = (body: object) => program.post(pathOf(program), body, key);
    const answers = await Promise.all(Array.from({ length: 5 }, () => send(changed)));
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
    assertProblem(await send({ ...changed, hold_expires_in_s: 9 }), 422, 'idempotency_key_reused');
    const more = await Promise.all(Array.from({ length: 5 }, () => change(program)));
    assert.deepEqual(more.map(({ version }) => version).sort(), [3, 4, 5, 6, 7]);
    await sql`insert into program_versions select gen_random_uuid(), program_id, n, effective_from, point_expiry,
        point_expiry_end_of_month, reversal_policy, reversal_negative_limit, hold_expires_in_s, creator,
        n::text || id, request_hash, created_at
      from program_versions, generate_series(8, ${limits.programVersionsMax}) as n
      where program_id = ${program.programId} and version = 2`;
    assertProblem(await program.post(pathOf(program), changed), 409, 'versions_limit_exceeded');
  });

  it('are written down in the audit trail, once', async () => {
    const program = await tenant.sibling();
    await change(program);
    const entries = await sql<{ action: string; before: { hold_expires_in_s: number } | null }[]>`
      select entry->>'action' as action, entry->'before' as before from audit_entries
      where entry->'target'->>'id' = ${program.programId} order by place`;
    assert.deepEqual(
      entries.map(({ action, before }) => [action, before?.hold_expires_in_s ?? null]),
      [
        ['program.create', null],
        ['program.version', limits.holdSecondsDefault],
      ],
    );
  });

  it('are whole, and hidden from other merchants', async () => {
    const { id } = await change(tenant);
    for (const missing of ['point_expiry', 'reversal_policy', 'hold_expires_in_s']) {
      const body = Object.fromEntries(Object.entries(changed).filter(([name]) => name !== missing));
      const { errors } = assertProblem(await tenant.post(pathOf(tenant), body), 400, 'invalid_request');
      assert.equal(errors?.[0]?.pointer, `/${missing}`);
    }
    const stranger = await Tenant.open(tenant.client);
    for (const target of [pathOf(tenant), `${pathOf(tenant)}/${id}`, `${pathOf(stranger)}/${id}`]) {
      assertProblem(await stranger.get(target), 404, 'not_found');
    }
    assertProblem(await stranger.post(pathOf(tenant), changed), 404, 'not_found');
    assert.equal((await tenant.client.get(pathOf(tenant), { caller: operator })).status, 200);
  });
});
