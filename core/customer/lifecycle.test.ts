/** The end of customers on real Postgres: merges that chain, race and are cut; erasures after which nobody knows, and every sum is what it was. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { announcedEvents, type audit, customers, giftcards, wallets } from '@local-plus/contracts';
import type postgres from 'postgres';
import { auditLedger, openAuditDatabase } from '../proof/index.ts';
import { quiet } from '../test/log.ts';
import {
  type Answer,
  assertProblem,
  type Caller,
  eventually,
  meanwhile,
  patiently,
  type SignedClient,
  TestStack,
} from '../test/stack.ts';
import { inLanes, parsed, Tenant } from '../test/tenant.ts';
import { customerCaller } from './test/caller.ts';

const { customer, consentPage, customerPage, exported, mergedCustomers, walletPage } = customers;

describe('the end of customers', () => {
  const stack = new TestStack();
  let client: SignedClient;
  let sql: postgres.Sql;
  let tenant: Tenant;
  let caller: Caller;

  before(async () => {
    ({ client } = await stack.serve());
    sql = stack.sql();
    tenant = await Tenant.open(client);
    caller = customerCaller(tenant);
  });
  after(() => stack.stop());

  const post = (target: string, body: unknown, key: string = randomUUID()) =>
    client.post(target, body, { caller, key });
  const get = (target: string) => client.get(target, { caller });
  const created = async (name: string) =>
    parsed(await post('/v1/customers', { external_id: name, contact: { name } }), 201, customer).id;
  const read = async (id: string) => parsed(await get(`/v1/customers/${id}`), 200, customer);
  const merge = (stays: string, gone: string, key?: string) =>
    post(`/v1/customers/${stays}/merge`, { customer_id: gone }, key);
  const erase = (id: string, key?: string) => post(`/v1/customers/${id}/erase`, undefined, key);
  const consent = (id: string, purpose: string) =>
    post(`/v1/customers/${id}/consents`, { purpose, status: 'granted', source: 'web' });

  async function walletOf(customerId: string, points: number): Promise<string> {
    const body = { program_id: tenant.programId, customer_id: customerId };
    const { id } = parsed(await post('/v1/wallets', body), 201, wallets.wallet);
    await tenant.made(`/v1/wallets/${id}/earn`, { amount: points, reference: 'order 7' }, wallets.transaction);
    return id;
  }
  const walletsOf = async (id: string) =>
    parsed(await get(`/v1/customers/${id}/wallets?limit=100`), 200, walletPage).data.map((each) => [
      each.id,
      each.balance,
    ]);

  it('merges once for a key; what was of either is of the one who stays, under either id', async () => {
    const [stays, gone] = [await created('stays'), await created('gone')];
    const mine = await walletOf(stays, 5);
    const theirs = await walletOf(gone, 7);
    await consent(stays, 'news');
    await consent(gone, 'sms');
    const key = randomUUID();
    const first = await merge(stays, gone, key);
    const { merged_at } = parsed(first, 200, mergedCustomers);
    assert.ok(merged_at);
    const again = await merge(stays, gone, key);
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [first.text, 'true']);
    assertProblem(await merge(gone, stays, key), 422, 'idempotency_key_reused');
    assertProblem(await merge(stays, gone), 409, 'customer_merged');
    assertProblem(await merge(stays, stays), 409, 'customer_merged');
    const update = { expected_version: 2, external_id: null, contact: {} };
    assertProblem(await post(`/v1/customers/${gone}`, update), 409, 'customer_merged');
    const merged = await read(gone);
    assert.deepEqual([merged.status, merged.merged_into, merged.version], ['merged', stays, 2]);
    assert.deepEqual([merged.contact, (await read(stays)).contact], [{ name: 'gone' }, { name: 'stays' }]);
    // Created for who it was: it is of who it is now.
    const late = await walletOf(gone, 9);
    await consent(gone, 'post');
    for (const id of [stays, gone]) {
      assert.deepEqual(await walletsOf(id), [
        [late, 9],
        [theirs, 7],
        [mine, 5],
      ]);
      const said = parsed(await get(`/v1/customers/${id}/consents`), 200, consentPage).data;
      assert.deepEqual(
        said.map(({ purpose, customer_id }) => [purpose, customer_id]),
        [
          ['post', stays],
          ['sms', gone],
          ['news', stays],
        ],
      );
    }
    const found = parsed(await get('/v1/customers?external_id=gone'), 200, customerPage).data;
    assert.deepEqual(
      found.map(({ merged_into }) => merged_into),
      [stays],
    );
  });

  it('follows a chain of merges to its end', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 6; index++) ids.push(await created(`chain ${index}`));
    for (let index = 1; index < ids.length; index++) {
      parsed(await merge(ids[index] as string, ids[index - 1] as string), 200, mergedCustomers);
    }
    const last = ids.at(-1) as string;
    for (const id of ids.slice(0, -1)) assert.equal((await read(id)).merged_into, last);
    const [row] = await sql`select merges from customers where id = ${last}`;
    assert.equal(row?.['merges'], 5);
    await sql`update customers set merges = 99 where id = ${last}`;
    const more = await created('one more');
    parsed(await merge(last, more), 200, mergedCustomers);
    assertProblem(await merge(last, await created('too many')), 409, 'customer_limit_exceeded');
    assertProblem(await merge(await created('another'), last), 409, 'customer_limit_exceeded');
  });

  it('erases a customer and who was merged into it: nobody knows any more, and every sum is what it was', async () => {
    const [stays, gone] = [await created('erased one'), await created('erased other')];
    const walletIds = [await walletOf(stays, 500), await walletOf(gone, 300)];
    await tenant.made(`/v1/wallets/${walletIds[0]}/burn`, { amount: 120 }, wallets.transaction);
    await consent(gone, 'news');
    const creation = randomUUID();
    const body = { contact: { name: 'Of a replay' } };
    const replayed = parsed(await post('/v1/customers', body, creation), 201, customer).id;
    const changing = randomUUID();
    const change = { expected_version: 1, external_id: 'x', contact: { name: 'Changed' } };
    await post(`/v1/customers/${replayed}`, change, changing);
    for (const other of [gone, replayed]) parsed(await merge(stays, other), 200, mergedCustomers);
    const before = await ledgerState(walletIds);

    const key = randomUUID();
    const first = await erase(gone, key);
    const erased = parsed(first, 200, customer);
    assert.deepEqual([erased.id, erased.status, erased.contact, erased.external_id], [stays, 'erased', null, null]);
    assert.deepEqual((await erase(gone, key)).text, first.text);
    assert.deepEqual((await erase(stays)).text, first.text, 'erased is erased');

    for (const id of [stays, gone, replayed]) {
      const { status, contact, external_id } = await read(id);
      assert.deepEqual([status, contact, external_id], ['erased', null, null]);
    }
    assert.deepEqual(parsed(await get('/v1/customers?external_id=erased%20one'), 200, customerPage).data, []);
    const update = { expected_version: 3, external_id: null, contact: {} };
    for (const id of [stays, gone]) assertProblem(await post(`/v1/customers/${id}`, update), 409, 'customer_erased');
    assertProblem(await consent(gone, 'news'), 409, 'customer_erased');
    assertProblem(await merge(await created('later'), stays), 409, 'customer_erased');
    assertProblem(await post('/v1/customers', body, creation), 409, 'customer_erased');
    assertProblem(await post(`/v1/customers/${replayed}`, change, changing), 409, 'customer_erased');
    for (const table of ['customer_keys', 'customer_contacts']) {
      const [left] =
        await sql`select count(*)::int as count from ${sql(table)} where customer_id = any(${[stays, gone, replayed]})`;
      assert.equal(left?.['count'], 0, table);
    }
    assert.deepEqual(await ledgerState(walletIds), before);
    assert.deepEqual(await walletsOf(stays), [
      [walletIds[1], 300],
      [walletIds[0], 380],
    ]);
    const events = await sql<{ payload: object }[]>`
      select payload from outbox where aggregate_id = ${stays} and payload->>'event_type' = 'customer.erased'`;
    const [event] = events.map(({ payload }) => announcedEvents['customer.erased'].schema.parse(payload));
    assert.deepEqual([events.length, event?.data.erased_with], [1, [gone, replayed].sort()]);
    assert.equal((await post('/v1/customers', { external_id: 'erased one' })).status, 201, 'the external id is free');
  });

  it('erases everybody who was merged in, also while others still merge', async () => {
    let merges = 0;
    for (let round = 0; round < 8; round++) {
      const stays = await created(`contended ${round}`);
      const others = await Promise.all(Array.from({ length: 6 }, (_, index) => created(`contended ${round} ${index}`)));
      const merging = others.map((gone) => merge(stays, gone));
      const [erased, ...merged] = await Promise.all([erase(stays), ...merging]);
      assert.equal(erased.status, 200, erased.text);
      for (const answer of merged) {
        if (answer.status === 200) merges++;
        else assertProblem(answer, 409, 'customer_erased');
      }
      const rows = await sql<{ id: string }[]>`
        select c.id from customers as c left join customer_keys as k on k.customer_id = c.id
        where c.id in (select customer_family(${stays})) and (k.customer_id is not null or c.status <> 'erased')`;
      assert.equal(rows.length, 0, 'nobody of the family has a key left');
    }
    assert.ok(merges > 0, 'some were merged before');
  });

  it('exports everything that is known, and after an erasure what is left', async () => {
    const [stays, gone] = [await created('exported'), await created('exported too')];
    const walletId = await walletOf(gone, 40);
    await consent(stays, 'news');
    parsed(await merge(stays, gone), 200, mergedCustomers);
    const shop = await tenant.sibling({ unit: 'EUR', scale: 2 });
    const card = { program_id: shop.programId, amount: 2_500, customer_id: gone };
    const cardId = (await shop.made('/v1/giftcards', card, giftcards.issuedGiftcard)).id;
    const whole = parsed(await get(`/v1/customers/${gone}/export`), 200, exported);
    assert.deepEqual(
      whole.giftcards.data.map((each) => [each.id, each.customer_id]),
      [[cardId, gone]],
      'a card of who was merged',
    );
    assert.deepEqual([whole.customer, whole.merged], [await read(stays), [await read(gone)]]);
    assert.deepEqual(
      whole.consents.data.map(({ purpose }) => purpose),
      ['news'],
    );
    const [only] = whole.wallets.data;
    assert.deepEqual([only?.wallet.id, only?.wallet.balance, whole.wallets.next_cursor], [walletId, 40, null]);
    assert.deepEqual(
      only?.transactions,
      parsed(await get(`/v1/wallets/${walletId}/transactions?limit=100`), 200, wallets.transactionPage),
    );
    const told = await sql<{ entry: audit.Entry }[]>`
      select entry from audit_entries where entry #>> '{target,id}' = ${stays} and entry ->> 'action' = 'customer.export'`;
    assert.deepEqual(
      told.map(({ entry: { actor, after } }) => [actor.subject, after]),
      [[caller.subject, { exported_with: [gone] }]],
      'who had it stands in the audit trail',
    );
    await erase(stays);
    const rest = parsed(await get(`/v1/customers/${stays}/export`), 200, exported);
    assert.deepEqual([rest.customer.contact, rest.merged[0]?.contact, rest.wallets.data.length], [null, null, 1]);
  });

  /** Everything that the ledger has, and what the audit says of it. */
  async function ledgerState(walletIds: readonly string[]) {
    const rows = await sql`select t::text as row from transactions as t order by seq`;
    const [sum] = await sql`select sum(amount)::text as sum, count(*)::text as count from ledger_entries`;
    const database = openAuditDatabase({ url: stack.postgres.url, connectMs: 5_000, log: quiet });
    try {
      const { first, rows: audited } = await auditLedger({ database });
      const balances = await Promise.all(walletIds.map(async (id) => (await tenant.balance(id)).balance));
      assert.equal(first, null);
      return { rows, sum, audited, balances };
    } finally {
      await database.close(1_000);
    }
  }
});

const MERGES = 60;

/** Core on a database whose connections are ended under it: what is not answered is asked again, with its key. */
describe('merges', () => {
  const stack = new TestStack();
  let client: SignedClient;
  let caller: Caller;
  before(async () => {
    ({ client } = await stack.serve());
    caller = customerCaller(await Tenant.open(client));
  });
  after(() => stack.stop());

  function post(target: string, body: unknown): Promise<Answer> {
    const key = randomUUID();
    return patiently(() => client.post(target, body, { caller, key }));
  }
  async function read(id: string): Promise<customers.Customer> {
    return parsed(await patiently(() => client.get(`/v1/customers/${id}`, { caller })), 200, customer);
  }

  it('happen by whoever comes first, in no circle, while connections die', async () => {
    const sql = stack.sql();
    const ids: string[] = [];
    for (let index = 0; index < 24; index++) ids.push(parsed(await post('/v1/customers', {}), 201, customer).id);
    const done: [stays: string, gone: string][] = [];
    let tried = 0;
    const merging = inLanes(MERGES, 12, async (index) => {
      const stays = ids[(index * 7) % ids.length] as string;
      const gone = ids[(index * 5 + 1) % ids.length] as string;
      const answer = await post(`/v1/customers/${stays}/merge`, { customer_id: gone }).finally(() => tried++);
      if (answer.status === 200) done.push([stays, gone]);
      else assertProblem(answer, 409, 'customer_merged');
    });
    await meanwhile(merging, async () => {
      const before = tried;
      await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'core'`;
      await pause(100);
      // A slow machine would otherwise do nothing but connect again.
      await eventually('another one is answered', () => tried > before || tried === MERGES);
    });
    const merged = done.map(([, gone]) => gone);
    assert.equal(new Set(merged).size, done.length, 'nobody is merged twice');
    assert.ok(done.length > 10);
    const after = await Promise.all(ids.map(read));
    const roots = after.filter(({ status }) => status === 'active').map(({ id }) => id);
    assert.deepEqual(
      after
        .filter(({ status }) => status === 'merged')
        .map(({ id }) => id)
        .sort(),
      merged.sort(),
    );
    for (const { merged_into, status } of after) assert.equal(status === 'merged', roots.includes(merged_into ?? ''));
    const counted = await sql<{ merges: number; size: number }[]>`
      select merges, (select count(*)::int - 1 from customer_family(id)) as size from customers where id = any(${roots})`;
    for (const { merges, size } of counted) assert.equal(merges, size);
    const [told] = await sql`select count(*)::int as count from audit_entries
      where entry->>'action' = 'customer.merge' and entry->'target'->>'id' = any(${merged})`;
    assert.equal(told?.['count'], done.length, 'each has its entry in the audit trail, once');
  });
});
