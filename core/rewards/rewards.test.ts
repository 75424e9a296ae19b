/** Rewards over HTTP on a real Postgres: drafted, published, redeemed, cancelled. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import {
  limits,
  rewardCancelledEvent,
  rewardRedeemedEvent,
  tiers,
  wallets,
  rewards as wire,
} from '@local-plus/contracts';
import type postgres from 'postgres';
import { idCursor } from '../platform/cursor/index.ts';
import { type Answer, assertProblem, operator, TestStack } from '../test/stack.ts';
import { parsed, Tenant } from '../test/tenant.ts';
import { anotherMillisecond, wellWithinDay } from '../test/time.ts';

const mug = { name: 'A mug', gives: { type: 'product', sku: 'mug' }, points: 100 };
const discount = {
  name: 'A tenth off',
  description: 'Once.',
  gives: { type: 'discount', by: 'percentage', hundredths: 1_000 },
  points: 40,
};

describe('rewards over HTTP', () => {
  const stack = new TestStack();
  let tenant: Tenant;
  let sql: postgres.Sql;

  before(async () => {
    tenant = await Tenant.open((await stack.serve()).client);
    sql = stack.sql();
  });
  after(() => stack.stop());
  beforeEach(wellWithinDay);

  const draft = (of: Tenant, body: object = mug) => of.made(`/v1/programs/${of.programId}/rewards`, body, wire.reward);
  const change = (of: Tenant, id: string, what: 'publish' | 'withdraw', body: object = {}, key?: string) =>
    of.post(`/v1/rewards/${id}/${what}`, body, key);
  async function published(of: Tenant, body: object = {}): Promise<string> {
    const { id } = await draft(of, { ...mug, ...body });
    parsed(await change(of, id, 'publish'), 200, wire.changedStatus);
    return id;
  }
  const redeem = (of: Tenant, id: string, wallet_id: string, key?: string): Promise<Answer> =>
    of.post(`/v1/rewards/${id}/redeem`, { wallet_id }, key);
  const redeemed = async (of: Tenant, id: string, wallet: string) =>
    parsed(await redeem(of, id, wallet), 201, wire.redemption);
  const cancel = (of: Tenant, id: string, body: object = {}, key?: string) =>
    of.post(`/v1/redemptions/${id}/cancel`, body, key);
  const stockOf = async (of: Tenant, id: string) => (await of.read(`/v1/rewards/${id}`, wire.reward)).stock_left;
  const spent = async (of: Tenant, wallet: string) => (await of.balance(wallet)).balance;

  it('are drafted, published, withdrawn, and listed by status', async () => {
    const program = await tenant.sibling();
    const first = await draft(program, { ...discount, stock: 5, limits: [{ per: 'day', count: 1 }] });
    const { id, created_at, ...rest } = first;
    assert.deepEqual(rest, {
      program_id: program.programId,
      ...discount,
      stock: 5,
      stock_left: 5,
      limits: [{ per: 'day', count: 1, of: 'wallet' }],
      tiers: null,
      valid_from: null,
      valid_until: null,
      status: 'draft',
      published_at: null,
      withdrawn_at: null,
    });
    const key = randomUUID();
    const done = parsed(await change(program, id, 'publish', {}, key), 200, wire.changedStatus);
    assert.equal(done.status, 'published');
    const again = await change(program, id, 'publish', {}, key);
    assert.deepEqual([again.json, again.headers.get('idempotent-replayed')], [done, 'true']);
    assertProblem(await change(program, id, 'publish'), 409, 'reward_status');
    await anotherMillisecond();
    const second = await draft(program);
    const list = (query: string) => program.read(`/v1/programs/${program.programId}/rewards?${query}`, wire.rewardPage);
    const all = await list('limit=1');
    assert.deepEqual([all.data.map((each) => each.id), all.next_cursor], [[second.id], idCursor(second.id)]);
    assert.deepEqual((await list(`limit=1&cursor=${all.next_cursor}`)).data[0]?.published_at, done.at);
    assert.deepEqual(
      (await list('status=draft')).data.map((each) => each.id),
      [second.id],
    );
    parsed(await change(program, id, 'withdraw', { reason: 'Too dear.' }), 200, wire.changedStatus);
    assertProblem(await change(program, id, 'withdraw'), 409, 'reward_status');
    assertProblem(await change(program, id, 'publish'), 409, 'reward_status');
    assertProblem(await program.get(`/v1/programs/${program.programId}/rewards?cursor=x`), 400, 'invalid_cursor');
    const replay = await change(program, id, 'publish', {}, key);
    assert.deepEqual(replay.json, done, 'a replay says what was true then');
    assertProblem(await change(program, second.id, 'publish', {}, key), 422, 'idempotency_key_reused');
    const audit = await sql<{ action: string; reason: string | null }[]>`
      select entry->>'action' as action, entry->>'reason' as reason from audit_entries
      where entry->'target'->>'id' = ${id} order by place`;
    assert.deepEqual(
      audit.map(({ action, reason }) => [action, reason]),
      [
        ['reward.create', null],
        ['reward.publish', null],
        ['reward.withdraw', 'Too dear.'],
      ],
    );
  });

  it('have a stock that can be changed', async () => {
    const program = await tenant.sibling();
    const creation = randomUUID();
    const create = () => program.post(`/v1/programs/${program.programId}/rewards`, { ...mug, stock: 2 }, creation);
    const created = await create();
    const { id } = parsed(created, 201, wire.reward);
    const add = (count: number, key?: string) => program.post(`/v1/rewards/${id}/stock`, { add: count }, key);
    const key = randomUUID();
    assert.deepEqual(parsed(await add(3, key), 200, wire.changedStock), { id, stock: 5, stock_left: 5 });
    assert.deepEqual((await add(3, key)).json, { id, stock: 5, stock_left: 5 });
    assertProblem(await add(4, key), 422, 'idempotency_key_reused');
    assertProblem(await add(-6), 409, 'out_of_stock');
    assertProblem(await add(limits.rewardStockMax), 409, 'out_of_stock');
    assert.deepEqual(parsed(await add(-5), 200, wire.changedStock), { id, stock: 0, stock_left: 0 });
    assertProblem(await add(0), 400, 'invalid_request');
    const again = await create();
    assert.deepEqual(
      [again.json, again.headers.get('idempotent-replayed')],
      [created.json, 'true'],
      'as it was created',
    );
    const { id: unlimited } = await draft(program);
    assertProblem(await program.post(`/v1/rewards/${unlimited}/stock`, { add: 1 }), 409, 'reward_status');
  });

  it('burn their points, give a code, and take one of the stock', async () => {
    const program = await tenant.sibling();
    const id = await published(program, { stock: 3 });
    const wallet = await program.wallet(250);
    const key = randomUUID();
    const answer = await redeem(program, id, wallet, key);
    const first = parsed(answer, 201, wire.redemption);
    assert.match(first.code ?? '', /^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}$/);
    assert.deepEqual([first.status, first.points, first.giftcard_code], ['completed', 100, null]);
    const again = await redeem(program, id, wallet, key);
    assert.deepEqual([again.status, again.text, again.headers.get('idempotent-replayed')], [201, answer.text, 'true']);
    assert.deepEqual([await spent(program, wallet), await stockOf(program, id)], [150, 2]);
    const burn = await program.read(`/v1/transactions/${first.transaction_id}`, wallets.transactionWithEntries);
    assert.deepEqual([burn.kind, burn.amount, burn.reference], ['burn', 100, `reward ${id}`]);
    const second = await redeemed(program, id, wallet);
    const list = (query = '') =>
      program.read(`/v1/wallets/${wallet}/redemptions${query}`, wire.redemptionPage).then(({ data }) => data);
    assert.deepEqual(await list(), [second, first]);
    assert.deepEqual(await list(`?cursor=${idCursor(second.id)}`), [first]);
    assert.deepEqual(await program.read(`/v1/redemptions/${first.id}`, wire.redemption), first);
    const found = await program.read(
      `/v1/programs/${program.programId}/redemptions?code=${first.code}`,
      wire.redemptionPage,
    );
    assert.deepEqual(found, { data: [first], next_cursor: null });
    const ofReward = `/v1/programs/${program.programId}/redemptions?reward_id=${id}&limit=1`;
    assert.deepEqual((await program.read(ofReward, wire.redemptionPage)).data, [second]);
    for (const target of [`${ofReward}&cursor=x`, `/v1/wallets/${wallet}/redemptions?cursor=x`]) {
      assertProblem(await program.get(target), 400, 'invalid_cursor');
    }
  });

  it('leave everything as it was where the points are not there, and say so again', async () => {
    const program = await tenant.sibling();
    const id = await published(program, { stock: 1, limits: [{ per: 'ever', count: 1 }] });
    const wallet = await program.wallet(99);
    const key = randomUUID();
    const refused = await redeem(program, id, wallet, key);
    assertProblem(refused, 409, 'insufficient_funds');
    await program.made(`/v1/wallets/${wallet}/earn`, { amount: 500 }, wallets.transaction);
    const again = await redeem(program, id, wallet, key);
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [refused.text, 'true']);
    assert.deepEqual([await spent(program, wallet), await stockOf(program, id)], [599, 1]);
    await program.made(`/v1/wallets/${wallet}/freeze`, { reason: 'x' }, wallets.transaction);
    assertProblem(await redeem(program, id, wallet), 409, 'account_frozen');
    await program.made(`/v1/wallets/${wallet}/unfreeze`, { reason: 'x' }, wallets.transaction);
    await redeemed(program, id, wallet);
    assertProblem(await redeem(program, id, wallet), 409, 'out_of_stock');
    assertProblem(await redeem(program, id, await program.wallet(), key), 422, 'idempotency_key_reused');
  });

  it('are redeemed only while they are published, valid, and for whom they are', async () => {
    const program = await tenant.sibling();
    const wallet = await program.wallet(1_000);
    const { id } = await draft(program);
    assertProblem(await redeem(program, id, wallet), 409, 'reward_not_available');
    const past = await published(program, { valid_until: new Date(Date.now() - 1).toISOString() });
    const future = await published(program, { valid_from: new Date(Date.now() + 60_000).toISOString() });
    for (const each of [past, future]) assertProblem(await redeem(program, each, wallet), 409, 'reward_not_available');
    const now = await published(program, {
      valid_from: new Date(Date.now() - 60_000).toISOString(),
      valid_until: new Date(Date.now() + 60_000).toISOString(),
    });
    await redeemed(program, now, wallet);
    parsed(await change(program, now, 'withdraw'), 200, wire.changedStatus);
    assertProblem(await redeem(program, now, wallet), 409, 'reward_not_available');
    const other = await tenant.sibling();
    assertProblem(await redeem(other, await published(program), await other.wallet(500)), 409, 'program_mismatch');
    const gold = await published(program, { tiers: ['gold'] });
    assertProblem(await redeem(program, gold, wallet), 409, 'reward_tier_missing');
    const ladder = { window: { period: 'days', count: 9 }, tiers: [{ id: 'gold', name: 'G', points: 1_000 }] };
    await program.made(`/v1/programs/${program.programId}/tiers`, ladder, tiers.tierScheme);
    await redeemed(program, gold, wallet);
    assertProblem(await redeem(program, gold, await program.wallet(999)), 409, 'reward_tier_missing');
  });

  it('are redeemed as often as their limits say, by wallet, customer and period', async () => {
    const program = await tenant.sibling();
    const id = await published(program, {
      limits: [
        { per: 'day', count: 2 },
        { per: 'ever', count: 3, of: 'customer' },
      ],
    });
    const customer_id = randomUUID();
    const newWallet = async () => {
      const { id: wallet } = await program.made(
        '/v1/wallets',
        { program_id: program.programId, customer_id },
        wallets.wallet,
      );
      await program.made(`/v1/wallets/${wallet}/earn`, { amount: 1_000 }, wallets.transaction);
      return wallet;
    };
    const [one, other] = [await newWallet(), await newWallet()];
    const first = await redeemed(program, id, one);
    await redeemed(program, id, one);
    assertProblem(await redeem(program, id, one), 409, 'reward_limit_reached');
    await redeemed(program, id, other);
    assertProblem(await redeem(program, id, other), 409, 'reward_limit_reached');
    parsed(await cancel(program, first.id), 200, wire.redemption);
    await redeemed(program, id, one);
    assertProblem(await redeem(program, id, one), 409, 'reward_limit_reached');
    // Yesterday is another day; ever is ever.
    await sql`update reward_redemptions set created_at = created_at - interval '1 day' where wallet_id = ${one}`;
    assertProblem(await redeem(program, id, one), 409, 'reward_limit_reached');
    const stranger = await program.wallet(1_000);
    await redeemed(program, id, stranger);
    await redeemed(program, id, stranger);
    await sql`update reward_redemptions set created_at = created_at - interval '1 day' where wallet_id = ${stranger}`;
    await redeemed(program, id, stranger);
  });

  it('are cancelled: points and stock come back, once', async () => {
    const program = await tenant.sibling({ point_expiry: { period: 'months', count: 12 } });
    const id = await published(program, { stock: 1 });
    const wallet = await program.wallet(100);
    const { id: redemption, transaction_id } = await redeemed(program, id, wallet);
    const managed = await program.post(`/v1/transactions/${transaction_id}/reverse`, {});
    assertProblem(managed, 409, 'transaction_managed');
    const key = randomUUID();
    const answer = await cancel(program, redemption, { reason: 'Broken.' }, key);
    const cancelled = parsed(answer, 200, wire.redemption);
    assert.equal(cancelled.status, 'cancelled');
    const again = await cancel(program, redemption, { reason: 'Broken.' }, key);
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [answer.text, 'true']);
    assertProblem(await cancel(program, redemption, {}, key), 422, 'idempotency_key_reused');
    assertProblem(await cancel(program, redemption), 409, 'redemption_status');
    assert.deepEqual([await spent(program, wallet), await stockOf(program, id)], [100, 1]);
    await redeemed(program, id, wallet);
    assert.deepEqual(
      (await program.history(wallet)).map(({ kind }) => kind),
      ['earn', 'burn', 'reverse', 'burn'],
    );
    const events = await sql<{ payload: unknown }[]>`select payload from outbox
      where aggregate_id = ${redemption} order by place`;
    const told = rewardRedeemedEvent.parse(events[0]?.payload).data;
    assert.deepEqual([told.redemption_id, told.transaction_id, told.type], [redemption, transaction_id, 'product']);
    assert.deepEqual(rewardCancelledEvent.parse(events[1]?.payload).data, told);
    assert.equal(events.length, 2);
    assert.ok(!JSON.stringify(events).includes(cancelled.code ?? '?'), 'the code is told to nobody else');
  });

  it('are hidden from other merchants', async () => {
    const program = await tenant.sibling();
    const id = await published(program);
    const wallet = await program.wallet(1_000);
    const { id: redemption } = await redeemed(program, id, wallet);
    const stranger = await Tenant.open(tenant.client);
    const own = await stranger.wallet(1_000);
    const ownReward = await published(stranger);
    for (const target of [
      `/v1/programs/${program.programId}/rewards`,
      `/v1/programs/${program.programId}/redemptions`,
      `/v1/rewards/${id}`,
      `/v1/redemptions/${redemption}`,
      `/v1/wallets/${wallet}/redemptions`,
      `/v1/rewards/${randomUUID()}`,
    ]) {
      assertProblem(await stranger.get(target), 404, 'not_found');
    }
    const posts: readonly (readonly [string, object])[] = [
      [`/v1/programs/${program.programId}/rewards`, mug],
      [`/v1/rewards/${id}/publish`, {}],
      [`/v1/rewards/${id}/withdraw`, {}],
      [`/v1/rewards/${id}/stock`, { add: 1 }],
      [`/v1/rewards/${id}/redeem`, { wallet_id: own }],
      [`/v1/rewards/${ownReward}/redeem`, { wallet_id: wallet }],
      [`/v1/redemptions/${redemption}/cancel`, {}],
    ];
    for (const [target, body] of posts) assertProblem(await stranger.post(target, body), 404, 'not_found');
    const card = { type: 'gift_card', program_id: program.programId, amount: 1 };
    const foreign = await stranger.post(`/v1/programs/${stranger.programId}/rewards`, { ...mug, gives: card });
    assertProblem(foreign, 404, 'not_found');
    assert.equal((await tenant.client.get(`/v1/rewards/${id}`, { caller: operator })).status, 200);
  });
});
