/** Members on a real Postgres: who they are, what their roles allow, and that a merchant keeps an owner. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { members, merchants, problemSchema, routes } from '@local-plus/contracts';
import type postgres from 'postgres';
import { assertProblem, type Caller, operator, type SignedClient, TestStack, theEdge } from '../test/stack.ts';
import { newMerchant, parsed } from '../test/tenant.ts';

describe('members', () => {
  const stack = new TestStack();
  let client: SignedClient;
  let sql: postgres.Sql;

  before(async () => {
    ({ client } = await stack.serve());
    sql = stack.sql();
  });
  after(() => stack.stop());

  const onboard = (status = 'active'): Promise<string> => newMerchant(client, { status });
  const target = (id: string) => `/v1/merchants/${id}/members`;
  const add = (
    id: string,
    subject: string,
    role: members.Role,
    caller: Caller = operator,
    key: string = randomUUID(),
  ) => client.post(target(id), { subject, role }, { caller, key });
  const added = async (id: string, subject: string, role: members.Role) =>
    parsed(await add(id, subject, role), 201, members.member);
  const setRole = (member: members.Member, role: members.Role, caller: Caller = operator, key: string = randomUUID()) =>
    client.post(`${target(member.merchant_id)}/${member.id}/role`, { role }, { caller, key });
  const remove = (member: members.Member, caller: Caller = operator, key: string = randomUUID()) =>
    client.send('POST', `${target(member.merchant_id)}/${member.id}/remove`, { caller, key });
  const list = async (id: string) =>
    parsed(await client.get(target(id), { caller: operator }), 200, members.memberPage).data;
  const ownerOf = (merchantId: string): Caller => ({ merchantId, subject: 'o', scopes: members.roleScopes.owner });

  async function grantOf(merchant_id: string, subject: string): Promise<members.MemberGrant | number> {
    const answer = await client.get(`/internal/members?${new URLSearchParams({ merchant_id, subject })}`, {
      caller: theEdge,
    });
    return answer.status === 200 ? members.memberGrant.parse(answer.json) : answer.status;
  }

  it('are added once, get other roles, and are removed; the edge is told at once', async () => {
    const id = await onboard();
    assert.equal(await grantOf(id, 'ada'), 404);
    await added(id, 'o', 'owner');
    const key = randomUUID();
    const first = await add(id, 'ada', 'cashier', ownerOf(id), key);
    const ada = parsed(first, 201, members.member);
    assert.deepEqual(await grantOf(id, 'ada'), { role: 'cashier', scopes: members.roleScopes.cashier });
    assertProblem(await add(id, 'ada', 'manager'), 409, 'member_exists');
    const roleKey = randomUUID();
    const promoted = await setRole(ada, 'manager', ownerOf(id), roleKey);
    assert.equal(parsed(promoted, 200, members.member).role, 'manager');
    assert.deepEqual(await grantOf(id, 'ada'), { role: 'manager', scopes: members.roleScopes.manager });
    const demoted = await setRole(ada, 'auditor');
    assert.equal(parsed(demoted, 200, members.member).role, 'auditor');
    const again = await setRole(ada, 'manager', ownerOf(id), roleKey);
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [promoted.text, 'true']);
    assert.deepEqual(
      await grantOf(id, 'ada'),
      { role: 'auditor', scopes: members.roleScopes.auditor },
      'a replay sets nothing',
    );
    const replay = await add(id, 'ada', 'cashier', ownerOf(id), key);
    assert.deepEqual([replay.text, replay.headers.get('idempotent-replayed')], [first.text, 'true']);
    const removal = randomUUID();
    const gone = await remove(ada, operator, removal);
    assert.notEqual(parsed(gone, 200, members.member).removed_at, null);
    assert.equal(await grantOf(id, 'ada'), 404);
    const twice = await remove(ada, operator, removal);
    assert.deepEqual([twice.text, twice.headers.get('idempotent-replayed')], [gone.text, 'true']);
    for (const answer of [await remove(ada), await setRole(ada, 'owner')]) assertProblem(answer, 404, 'not_found');
    assert.deepEqual(
      (await list(id)).map(({ subject }) => subject),
      ['o'],
    );
    assert.notEqual((await added(id, 'ada', 'analyst')).id, ada.id, 'who comes again is new');
  });

  it('keep an owner, also when two remove each other', async () => {
    for (let round = 0; round < 10; round++) {
      const id = await onboard();
      const [left, right] = [await added(id, 'left', 'owner'), await added(id, 'right', 'owner')];
      const answers = await Promise.all([remove(left), round % 2 === 0 ? remove(right) : setRole(right, 'cashier')]);
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409], answers.map(({ text }) => text).join());
      assert.equal((await list(id)).filter(({ role }) => role === 'owner').length, 1);
    }
    const id = await onboard();
    const only = await added(id, 'only', 'owner');
    for (const answer of [await remove(only), await setRole(only, 'manager')]) assertProblem(answer, 409, 'last_owner');
    parsed(await setRole(only, 'owner'), 200, members.member);
  });

  it('who are removed twice at once are gone the second time, and not the last owner', async () => {
    for (let round = 0; round < 10; round++) {
      const id = await onboard();
      const [left] = [await added(id, 'left', 'owner'), await added(id, 'right', 'owner')];
      const answers = await Promise.all([remove(left), remove(left), setRole(left, 'cashier')]);
      const removals = answers.slice(0, 2).sort((one, other) => one.status - other.status);
      assert.equal(removals[0]?.status, 200);
      for (const { status, json } of answers) {
        if (status !== 200) assert.deepEqual([status, problemSchema.parse(json).code], [404, 'not_found']);
      }
    }
  });

  it('tell the trail what they were before, also when two change them at once', async () => {
    for (let round = 0; round < 10; round++) {
      const id = await onboard();
      const ada = await added(id, 'ada', 'cashier');
      const roles = ['manager', 'auditor', 'analyst'] as const;
      for (const answer of await Promise.all(roles.map((role) => setRole(ada, role)))) assert.equal(answer.status, 200);
      const entries = await sql<{ before: { role: string }; after: { role: string } }[]>`
        select entry->'before' as before, entry->'after' as after from audit_entries
        where entry #>> '{target,id}' = ${ada.id} and entry->>'action' = 'member.set_role' order by place`;
      const chain = ['cashier', ...entries.map(({ after }) => after.role)];
      assert.deepEqual(
        entries.map(({ before }) => before.role),
        chain.slice(0, -1),
      );
      assert.deepEqual([chain.length, chain.at(-1)], [4, (await list(id))[0]?.role]);
    }
  });

  it('may do less while the merchant is not active', async () => {
    const id = await onboard('draft');
    await added(id, 'o', 'owner');
    const scopes = async () => {
      const grant = await grantOf(id, 'o');
      return typeof grant === 'number' ? grant : grant.scopes;
    };
    const move = (action: string) =>
      client.post(`/v1/merchants/${id}/transitions`, { action, reason: 'r' }, { caller: operator });
    const onboarding = await scopes();
    assert.ok(
      Array.isArray(onboarding) && onboarding.includes('merchants:lifecycle') && !onboarding.includes('wallets:write'),
    );
    await move('submit');
    await move('activate');
    assert.deepEqual(await scopes(), members.roleScopes.owner);
    await move('suspend');
    const suspended = await scopes();
    assert.ok(
      Array.isArray(suspended) &&
        suspended.every((scope) => scope.endsWith(':read')) &&
        suspended.includes('audit:read'),
    );
  });

  it('are told to the edge only, and are known by their subject only', async () => {
    const id = await onboard();
    for (const caller of [operator, ownerOf(id)]) {
      assertProblem(await client.get(`/internal/members?merchant_id=${id}&subject=o`, { caller }), 403, 'forbidden');
    }
    for (const subject of ['ada@example.org', 'operator', 'edge', '', 'a'.repeat(65)]) {
      assertProblem(await add(id, subject, 'cashier'), 400, 'invalid_request');
    }
    assertProblem(
      await client.post(target(id), { subject: 'a', role: 'admin' }, { caller: operator }),
      400,
      'invalid_request',
    );
  });

  it('are listed page by page, and are nobody else’s', async () => {
    const id = await onboard();
    const owner = await added(id, 'o', 'owner');
    for (let n = 0; n < 4; n++) await added(id, `m${n}`, 'cashier');
    const first = parsed(await client.get(`${target(id)}?limit=3`, { caller: ownerOf(id) }), 200, members.memberPage);
    const rest = parsed(
      await client.get(`${target(id)}?cursor=${first.next_cursor}`, { caller: operator }),
      200,
      members.memberPage,
    );
    assert.equal(new Set([...first.data, ...rest.data].map((member) => member.id)).size, 5);
    assertProblem(await client.get(`${target(id)}?cursor=1`, { caller: operator }), 400, 'invalid_cursor');
    const stranger = ownerOf(await onboard());
    const answers = [
      await client.get(target(id), { caller: stranger }),
      await add(id, 's', 'owner', stranger),
      await remove(owner, stranger),
      await setRole(owner, 'cashier', stranger),
    ];
    for (const answer of answers) assertProblem(answer, 404, 'not_found');
    assert.equal((await list(id)).length, 5);
  });

  it('have roles of which each scope is some route’s, and owners can all that a key can', () => {
    const needed = new Set<string>(Object.values(routes).flatMap(({ scope }) => scope ?? []));
    for (const role of members.roles) {
      for (const scope of members.roleScopes[role]) assert.ok(needed.has(scope), `${role} ${scope}`);
      assert.ok(!members.roleScopes[role].includes('admin'));
    }
    assert.deepEqual(members.roleScopes.owner, merchants.keyScopes);
  });
});
