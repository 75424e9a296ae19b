/** The audit trail on a real Postgres: every administrative change once, readable by whose it is, and no damage unseen. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { audit, limits, members, merchants } from '@local-plus/contracts';
import type postgres from 'postgres';
import { assertProblem, type Caller, merchantCaller, operator, type SignedClient, TestStack } from '../test/stack.ts';
import { allPages, newMerchant, parsed } from '../test/tenant.ts';

const uuid = /^[0-9a-f-]{36}$/;

describe('the audit trail', () => {
  const stack = new TestStack();
  let client: SignedClient;
  let sql: postgres.Sql;

  before(async () => {
    ({ client } = await stack.serve());
    sql = stack.sql(4);
  });
  after(() => stack.stop());

  const onboard = (name = 'Bakery'): Promise<string> => newMerchant(client, { name });
  const auditor = (merchantId: string): Caller => ({
    merchantId,
    subject: 'auditor-1',
    scopes: members.roleScopes.auditor,
  });

  async function entries(query: Record<string, string>, caller: Caller = operator): Promise<audit.Entry[]> {
    const asked = new URLSearchParams({ limit: '100', ...query });
    const pages = await allPages(async (cursor) =>
      parsed(await client.get(`/v1/audit-entries?${asked}${cursor}`, { caller }), 200, audit.entryPage),
    );
    return pages.flatMap(({ data }) => data);
  }

  async function verify(merchant_id: string, more: Record<string, string> = {}, caller: Caller = operator) {
    const answer = await client.get(`/v1/audit-entries/verify?${new URLSearchParams({ merchant_id, ...more })}`, {
      caller,
    });
    return parsed(answer, 200, audit.verification);
  }

  it('has who did what, from where, before and after, of every change, once', async () => {
    const id = await onboard();
    const at = `/v1/merchants/${id}`;
    const owner: Caller = { merchantId: id, subject: 'owner-1', scopes: merchants.keyScopes, clientIp: '192.0.2.7' };
    const key = randomUUID();
    const plan = { requests_per_minute: 600, burst: null, requests_per_month: null };
    for (let n = 0; n < 2; n++) await client.post(`${at}/plan`, plan, { caller: operator, key });
    await client.post(`${at}/allowed-origins`, { allowed_origins: ['https://a.example'] }, { caller: owner });
    const made = await client.post(`${at}/api-keys`, { name: 'till', scopes: ['wallets:read'] }, { caller: owner });
    const { id: keyId, key: secret } = parsed(made, 201, merchants.createdApiKey);
    const next = parsed(
      await client.post(`${at}/api-keys/${keyId}/rotate`, {}, { caller: owner }),
      201,
      merchants.createdApiKey,
    );
    for (let n = 0; n < 2; n++)
      await client.send('POST', `${at}/api-keys/${keyId}/revoke`, { caller: owner, key: `k${n}` });
    const member = parsed(
      await client.post(`${at}/members`, { subject: 'winifred', role: 'cashier' }, { caller: owner }),
      201,
      members.member,
    );
    await client.post(`${at}/members/${member.id}/role`, { role: 'manager' }, { caller: owner });
    await client.send('POST', `${at}/members/${member.id}/remove`, { caller: owner, key });
    const configuration = { ...merchants.defaultConfiguration, time_zone: 'Europe/Berlin' };
    await client.post(`${at}/configuration`, { expected_version: 0, configuration }, { caller: owner });
    assertProblem(
      await client.post(`${at}/configuration`, { expected_version: 0, configuration }, { caller: owner }),
      409,
      'version_conflict',
    );
    await client.post(`${at}/transitions`, { action: 'suspend', reason: 'chargebacks' }, { caller: operator });

    const trail = (await entries({}, auditor(id))).reverse();
    assert.deepEqual(
      trail.map(({ place, action, actor }) => [place, action, actor.subject]),
      [
        [1, 'merchant.create', 'operator'],
        [2, 'merchant.set_plan', 'operator'],
        [3, 'merchant.set_allowed_origins', 'owner-1'],
        [4, 'api_key.create', 'owner-1'],
        [5, 'api_key.rotate', 'owner-1'],
        [6, 'api_key.revoke', 'owner-1'],
        [7, 'member.add', 'owner-1'],
        [8, 'member.set_role', 'owner-1'],
        [9, 'member.remove', 'owner-1'],
        [10, 'configuration.set', 'owner-1'],
        [11, 'merchant.suspend', 'operator'],
      ],
    );
    const [, , origins, , rotation, , , role] = trail as [
      never,
      never,
      audit.Entry,
      never,
      audit.Entry,
      never,
      never,
      audit.Entry,
    ];
    assert.deepEqual(
      [origins.before, origins.after],
      [{ allowed_origins: [] }, { allowed_origins: ['https://a.example'] }],
    );
    assert.deepEqual(
      [origins.actor.ip, origins.actor.merchant_id, origins.target],
      ['192.0.2.7', id, { type: 'merchant', id }],
    );
    assert.deepEqual([rotation.target.id, rotation.after?.['successor']], [keyId, next.id]);
    assert.deepEqual([role.before, role.after], [{ role: 'cashier' }, { role: 'manager' }]);
    assert.deepEqual([trail.at(-1)?.reason, trail.at(-1)?.before], ['chargebacks', { status: 'active' }]);
    for (const { request_id, hash } of trail) assert.ok(uuid.test(request_id) && /^[0-9a-f]{64}$/.test(hash));
    const text = JSON.stringify(trail);
    assert.ok(
      !text.includes(secret ?? '') && !text.includes(next.key ?? '') && !text.includes('winifred'),
      'no secret, no person',
    );
  });

  it('keeps the operator’s own doings apart', async () => {
    const value = `person-${randomUUID()}`;
    const expires_at = new Date(Date.now() + 60_000).toISOString();
    await client.post('/v1/admin/revocations', { kind: 'subject', value, expires_at }, { caller: operator });
    const [newest] = await entries({});
    assert.deepEqual([newest?.action, newest?.after?.['kind']], ['revocation.create', 'subject']);
    assert.ok(!JSON.stringify(newest).includes(value));
  });

  it('is filtered, turned page by page, and read by whose it is', async () => {
    const [id, other] = [await onboard(), await onboard()];
    const origins = (n: number) => ({ allowed_origins: [`https://a${n}.example`] });
    for (let n = 0; n < 6; n++)
      await client.post(`/v1/merchants/${id}/allowed-origins`, origins(n), { caller: merchantCaller(id) });
    assert.deepEqual(
      (await entries({ limit: '2' }, auditor(id))).map(({ place }) => place),
      [7, 6, 5, 4, 3, 2, 1],
    );
    const of = async (query: Record<string, string>) =>
      (await entries({ merchant_id: id, ...query })).map(({ place }) => place);
    assert.deepEqual(await of({ action: 'merchant.create' }), [1]);
    assert.deepEqual(await of({ action: 'merchant.close' }), []);
    assert.deepEqual(
      await of({ target_id: id, action: 'merchant.set_allowed_origins', limit: '4' }),
      [7, 6, 5, 4, 3, 2],
    );
    assert.deepEqual(await of({ target_id: other }), []);
    const [middle] = (await entries({ merchant_id: id })).filter(({ place }) => place === 4);
    assert.ok((await of({ from: middle?.at ?? '' })).includes(4) && !(await of({ to: middle?.at ?? '' })).includes(4));
    for (const target of ['/v1/audit-entries', '/v1/audit-entries/verify']) {
      assertProblem(await client.get(`${target}?merchant_id=${id}`, { caller: auditor(other) }), 404, 'not_found');
      assertProblem(await client.get(target, { caller: merchantCaller(id) }), 403, 'forbidden');
      assert.equal((await client.get(`${target}?merchant_id=${id}`, { caller: auditor(id) })).status, 200);
    }
    for (const bad of ['cursor=0', 'cursor=%20', 'action=x', 'from=today', 'merchant_id=x', 'limit=0']) {
      assert.equal((await client.get(`/v1/audit-entries?${bad}`, { caller: operator })).status, 400, bad);
    }
  });

  it('is one chain, however many write it at once', async () => {
    const id = await onboard();
    const origins = (n: number) => ({ allowed_origins: [`https://b${n}.example`] });
    const answers = await Promise.all(
      Array.from({ length: 80 }, (_, n) =>
        client.post(`/v1/merchants/${id}/allowed-origins`, origins(n), { caller: operator }),
      ),
    );
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    const found = await verify(id);
    assert.deepEqual([found.verified_to, found.is_last, found.broken], [81, true, null]);
    const half = await verify(id, { after: '20' }, auditor(id));
    assert.deepEqual([half.verified_to, half.hash], [81, found.hash], 'it goes on where it was told to');
    assertProblem(
      await client.get(`/v1/audit-entries/verify?merchant_id=${id}&after=82`, { caller: operator }),
      404,
      'not_found',
    );
    assert.deepEqual(await verify(randomUUID()), { verified_to: 0, hash: null, is_last: true, broken: null });
  });

  it('cannot be changed, and shows it when it was all the same', async () => {
    for (const statement of [
      'update audit_entries set place = place',
      'delete from audit_entries',
      'truncate audit_entries',
    ]) {
      await assert.rejects(sql.unsafe(statement), /append-only/);
    }
    const damages: readonly (readonly [string, audit.Verification['broken']])[] = [
      [
        `update audit_entries set entry = replace(entry::text, 'b2.example', 'evil.example')::json where trail = $1 and place = 4`,
        { place: 4, fault: 'changed' },
      ],
      [
        `update audit_entries set entry = (entry::text || ' ')::json where trail = $1 and place = 2`,
        { place: 2, fault: 'changed' },
      ],
      [`update audit_entries set hash = sha256('x') where trail = $1 and place = 5`, { place: 5, fault: 'changed' }],
      [`delete from audit_entries where trail = $1 and place = 1`, { place: 1, fault: 'missing' }],
      [`delete from audit_entries where trail = $1 and place = 3`, { place: 3, fault: 'missing' }],
      [
        `update audit_entries as a set entry = b.entry from audit_entries as b
        where a.trail = $1 and b.trail = $1 and a.place in (3, 4) and a.place + b.place = 7`,
        { place: 3, fault: 'changed' },
      ],
    ];
    const trails: string[] = [];
    for (const [damage, broken] of damages) {
      const id = await onboard();
      trails.push(id);
      for (let n = 0; n < 5; n++) {
        await client.post(
          `/v1/merchants/${id}/allowed-origins`,
          { allowed_origins: [`https://b${n}.example`] },
          { caller: operator },
        );
      }
      assert.equal((await verify(id)).broken, null);
      await sql.begin(async (superuser) => {
        await superuser`alter table audit_entries disable trigger audit_entries_append_only`;
        await superuser.unsafe(damage, [id]);
        await superuser`alter table audit_entries enable trigger audit_entries_append_only`;
      });
      const found = await verify(id);
      assert.deepEqual([found.broken, found.verified_to], [broken, (broken?.place ?? 1) - 1], damage);
    }
    // What is damaged on purpose is taken away: every trail of a test's stack is verified when it stops.
    await sql.begin(async (superuser) => {
      await superuser`alter table audit_entries disable trigger audit_entries_append_only`;
      await superuser`delete from audit_entries where trail = any (${trails})`;
      await superuser`alter table audit_entries enable trigger audit_entries_append_only`;
    });
  });

  it('walks a bounded number of entries at a time', async () => {
    const id = await onboard();
    await sql.unsafe(
      `do $$ begin for n in 1..${limits.auditVerifyRowsMax + 10} loop
        insert into audit_entries (trail, place, entry, hash)
          select '${id}', link.place, '{"n":1}', link.hash from audit_link('${id}', '{"n":1}') as link;
      end loop; end $$`,
    );
    const first = await verify(id);
    assert.deepEqual([first.verified_to, first.is_last, first.broken], [limits.auditVerifyRowsMax, false, null]);
    const rest = await verify(id, { after: String(first.verified_to) });
    assert.deepEqual([rest.verified_to, rest.is_last, rest.broken], [limits.auditVerifyRowsMax + 11, true, null]);
  });
});
