/** Gift cards over HTTP: what is between two of them, what ends them, their histories, and who sees them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { giftcards, movements, type ProblemCode, problemSchema, wallets } from '@local-plus/contracts';
import { auditLedger } from '../../proof/index.ts';
import { type Answer, assertProblem, patiently, type SignedClient, TestStack } from '../../test/stack.ts';
import { parsed } from '../../test/tenant.ts';
import { Shop, type Sql } from './test/shop.ts';

const why = { reason: 'why' };
const uuid = (): string => crypto.randomUUID();

describe('gift cards', () => {
  const stack = new TestStack();
  let client: SignedClient;
  let sql: Sql;
  let shop: Shop;

  before(async () => {
    ({ client } = await stack.serve());
    sql = stack.sql(2);
    shop = await Shop.open(client, sql);
  });
  after(() => stack.stop());

  const refused = (answer: Answer, code: ProblemCode, status = 409) => assertProblem(answer, status, code);

  describe('give to one another', () => {
    it('an amount, or all; of one program; in states that allow it', async () => {
      const [from, to] = [await shop.card(100), await shop.card(1)];
      const key = uuid();
      const sent = await shop.ask(from, 'transfer', { to_giftcard_id: to, amount: 30 }, key);
      const { activity, related_giftcard_id, balance_after } = parsed(sent, 201, giftcards.activity);
      assert.deepEqual([activity, related_giftcard_id, balance_after], ['transfer_out', to, 70]);
      assert.deepEqual((await shop.ask(from, 'transfer', { to_giftcard_id: to, amount: 30 }, key)).json, sent.json);
      refused(await shop.ask(from, 'transfer', { to_giftcard_id: to, amount: 71 }), 'insufficient_funds');
      const all = await shop.done(from, 'transfer', { to_giftcard_id: to });
      assert.deepEqual([all.amount, (await shop.read(to)).balance], [70, 101]);
      refused(await shop.ask(from, 'transfer', { to_giftcard_id: to }), 'insufficient_funds');
      const back = (await shop.activities(to)).map((each) => [each.activity, each.amount, each.related_giftcard_id]);
      assert.deepEqual(back.slice(0, 2), [
        ['transfer_in', 70, from],
        ['transfer_in', 30, from],
      ]);
      assertProblem(await shop.ask(to, 'transfer', { to_giftcard_id: to, amount: 1 }), 400, 'invalid_request');
      const abroad = await Shop.open(client, sql);
      refused(await shop.ask(to, 'transfer', { to_giftcard_id: await abroad.card(1) }), 'not_found', 404);
      const sibling = await shop.tenant.sibling({ unit: 'EUR' });
      const body = { program_id: sibling.programId, amount: 1 };
      const { id } = await shop.tenant.made('/v1/giftcards', body, giftcards.issuedGiftcard);
      refused(await shop.ask(to, 'transfer', { to_giftcard_id: id }), 'program_mismatch');
      await shop.done(from, 'load', { amount: 9 });
      await shop.done(to, 'block', why);
      const refusedKey = uuid();
      const undone = await shop.ask(from, 'transfer', { to_giftcard_id: to }, refusedKey);
      refused(undone, 'account_frozen');
      assert.equal((await shop.read(from)).balance, 9);
      await shop.done(to, 'deactivate', why);
      const problem = refused(await shop.ask(from, 'transfer', { to_giftcard_id: to }), 'giftcard_deactivated');
      assert.match(problem.detail, /receiving/);
      // What was undone is told as it was told, whatever the cards are by now.
      const again = () => shop.ask(from, 'transfer', { to_giftcard_id: to }, refusedKey);
      assert.deepEqual((await again()).json, undone.json);
      await shop.done(from, 'deactivate', why);
      assert.deepEqual((await again()).json, undone.json);
      assert.deepEqual([(await shop.read(from)).balance, (await shop.read(to)).balance], [0, 0]);
    });
  });

  describe('are blocked, replaced and deactivated', () => {
    it('a lost one by a new one, with its balance, its customer and its last day', async () => {
      const customer = uuid();
      const lost = await shop.issued({ amount: 100, customer_id: customer, expires_on: '2031-01-31' });
      await shop.done(lost.id, 'redeem', { amount: 1 });
      await shop.done(lost.id, 'block', why);
      const key = uuid();
      const first = await shop.ask(lost.id, 'replace', { reason: 'lost', pin: true }, key);
      const card = parsed(first, 201, giftcards.issuedGiftcard);
      assert.ok(card.code && card.pin && card.code !== lost.code);
      assert.deepEqual(
        [card.state, card.balance, card.customer_id, card.expires_at, card.replaces],
        ['active', 99, customer, lost.expires_at, lost.id],
      );
      const again = await shop.ask(lost.id, 'replace', { reason: 'lost', pin: true }, key);
      assert.deepEqual(again.json, { ...card, code: null, pin: null });
      const old = await shop.read(lost.id);
      assert.deepEqual([old.state, old.balance, old.replaced_by], ['deactivated', 0, card.id]);
      refused(await shop.ask(lost.id, 'replace', { reason: 'lost' }), 'giftcard_deactivated');
      refused(await shop.ask(lost.id, 'unblock', why), 'giftcard_deactivated');
      await shop.done(card.id, 'redeem', { amount: 99 });
      const told = (await shop.activities(lost.id)).map(({ activity }) => activity);
      assert.deepEqual(told.toSorted(), ['activate', 'block', 'issue', 'redeem', 'replace', 'transfer_out']);
    });

    it('by one replacement, however many ask at once', async () => {
      const cardId = await shop.card(100);
      const answers = await Promise.all(Array.from({ length: 10 }, () => shop.ask(cardId, 'replace', why)));
      const made = answers.filter(({ status }) => status === 201);
      assert.equal(made.length, 1, answers.map(({ text }) => text).join('\n'));
      for (const { status, json } of answers) {
        if (status !== 201)
          assert.ok(['giftcard_deactivated', 'giftcard_busy'].includes(problemSchema.parse(json).code));
      }
      const [row] = await sql`
        select count(*)::int as cards, sum(balance_after)::int as sum from giftcards as c
        left join lateral (select balance_after from transactions where account_id = c.id order by version desc limit 1) as t
          on true
        where c.id = ${cardId} or c.replaces = ${cardId}`;
      assert.deepEqual(row, { cards: 2, sum: 100 });
    });

    it('one that was deactivated while it was unblocked stays deactivated', async () => {
      for (let round = 0; round < 10; round++) {
        const cardId = await shop.card(10);
        await shop.done(cardId, 'block', why);
        const answers = await Promise.all([
          ...Array.from({ length: 4 }, () => shop.ask(cardId, 'unblock', why)),
          surely(cardId, 'deactivate'),
          shop.ask(cardId, 'redeem', { amount: 1 }),
        ]);
        assert.ok(
          answers.every(({ status }) => status === 201 || status === 409),
          answers.map(({ text }) => text).join(),
        );
        const card = await shop.read(cardId);
        assert.deepEqual([card.state, card.balance], ['deactivated', 0]);
        refused(await shop.ask(cardId, 'load', { amount: 1 }), 'giftcard_deactivated');
        const [row] = await sql`
          select kind::text as kind from transactions where account_id = ${cardId} and kind in ('freeze', 'unfreeze')
          order by version desc limit 1`;
        assert.equal(row?.['kind'], 'freeze');
      }
    });
  });

  it('are busy while one activity after the other is under way', async () => {
    const cardId = await shop.card(10);
    await shop.done(cardId, 'block', why);
    const row = `insert into giftcard_activities (id, card_id, merchant_id, activity, status, request_id, reason, created_at)
      select gen_random_uuid(), id, merchant_id, 'unblock', 'open', gen_random_uuid(), 'again', now()
      from giftcards where id = '${cardId}'`;
    await sql.unsafe(`create function again() returns trigger language plpgsql as $$ begin ${row}; return null; end $$;
      create trigger again after update on giftcard_activities for each row when (old.status = 'open') execute function again();
      ${row}`);
    refused(await shop.ask(cardId, 'deactivate', why), 'giftcard_busy');
    await sql.unsafe('drop trigger again on giftcard_activities; drop function again()');
    const answer = await shop.ask(cardId, 'deactivate', why);
    assert.equal(answer.status, 201, answer.text);
  });

  /** As a client that is told to come again does. */
  async function surely(cardId: string, route: string): Promise<Answer> {
    const key = uuid();
    return patiently(
      () => shop.ask(cardId, route, why, key),
      ({ status, json }) => status !== 409 || problemSchema.parse(json).code !== 'giftcard_busy',
    );
  }

  describe('have a history', () => {
    it('of the ledger and of what moved nothing, by pages of any size', async () => {
      const card = await shop.issued({ amount: 100, activate: false });
      await shop.done(card.id, 'link', { customer_id: uuid() });
      await shop.done(card.id, 'activate', {});
      await shop.done(card.id, 'redeem', { amount: 10 });
      await shop.done(card.id, 'unlink', {});
      const hold = await shop.held(card.id, 20);
      await shop.tenant.made(`/v1/holds/${hold.id}/release`, {}, wallets.transaction);
      await shop.done(card.id, 'deactivate', why);
      const all = await shop.activities(card.id);
      assert.deepEqual(all.map(({ activity }) => activity).toSorted(), [
        'activate',
        'block',
        'clear_balance',
        'deactivate',
        'hold',
        'issue',
        'link',
        'redeem',
        'release',
        'unlink',
      ]);
      assert.deepEqual(
        all.map(({ created_at }) => created_at),
        all
          .map(({ created_at }) => created_at)
          .toSorted()
          .reverse(),
      );
      for (const limit of [1, 2, 3, 7]) assert.deepEqual(await shop.activities(card.id, limit), all);
      for (const cursor of ['x', '0', '_', 'zz_', '99_', '01_']) {
        const answer = await shop.tenant.get(`/v1/giftcards/${card.id}/activities?cursor=${cursor}`);
        assertProblem(answer, 400, 'invalid_cursor');
      }
    });
  });

  describe('are no wallets, and nobody else’s', () => {
    it('wallet routes know no card, card routes no wallet; holds and transactions serve both', async () => {
      const [card, wallet] = [await shop.card(10), await shop.tenant.wallet(10)];
      for (const [route, body] of [
        ['earn', { amount: 1 }],
        ['burn', { amount: 1 }],
        ['adjust', { direction: 'in', amount: 1, ...why }],
        ['freeze', why],
        ['unfreeze', why],
        ['holds', { amount: 1 }],
      ] as const) {
        refused(await shop.tenant.post(`/v1/wallets/${card}/${route}`, body), 'not_found', 404);
      }
      for (const route of ['', '/balance', '/transactions']) {
        refused(await shop.tenant.get(`/v1/wallets/${card}${route}`), 'not_found', 404);
      }
      for (const [from, to] of [
        [card, wallet],
        [wallet, card],
      ]) {
        const body = { from_wallet_id: from, to_wallet_id: to, amount: 1 };
        refused(await shop.tenant.post('/v1/transfers', body), 'not_found', 404);
      }
      const line = { wallet_id: card, kind: 'earn', amount: 1, idempotency_key: uuid() };
      const bulk = await client.send('POST', '/v1/transactions/bulk', {
        caller: shop.tenant.caller,
        body: `${JSON.stringify(line)}\n`,
        headers: { 'content-type': 'application/x-ndjson' },
      });
      assert.match(bulk.text, /not_found/);
      refused(await shop.ask(wallet, 'redeem', { amount: 1 }), 'not_found', 404);
      assert.deepEqual([(await shop.read(card)).balance, (await shop.tenant.balance(wallet)).balance], [10, 10]);
      const hold = await shop.held(card, 3);
      const seen = await shop.tenant.read(`/v1/holds/${hold.id}`, movements.hold);
      assert.deepEqual([seen.wallet_id, seen.remaining], [card, 3]);
    });

    it('every route answers 404 to another merchant', async () => {
      const stranger = await Shop.open(client, sql);
      const card = await shop.card(10);
      const spent = await shop.done(card, 'redeem', { amount: 1 });
      const before = await shop.read(card);
      const own = await stranger.card(5);
      const bodies: Readonly<Record<string, object>> = {
        activate: {},
        load: { amount: 1 },
        redeem: { amount: 1 },
        refund: { transaction_id: spent.id },
        holds: { amount: 1 },
        adjust: { direction: 'in', amount: 1, ...why },
        'clear-balance': why,
        'reverse-import': why,
        block: why,
        unblock: why,
        link: { customer_id: uuid() },
        unlink: {},
        transfer: { to_giftcard_id: own },
        replace: why,
        deactivate: why,
      };
      for (const [route, body] of Object.entries(bodies)) {
        refused(await stranger.ask(card, route, body), 'not_found', 404);
        refused(await stranger.ask(uuid(), route, body), 'not_found', 404);
      }
      refused(await stranger.ask(own, 'transfer', { to_giftcard_id: card }), 'not_found', 404);
      for (const route of ['', '/activities']) {
        refused(await stranger.tenant.get(`/v1/giftcards/${card}${route}`), 'not_found', 404);
      }
      const mine = await stranger.tenant.read('/v1/giftcards', giftcards.giftcardPage);
      assert.deepEqual(
        mine.data.map(({ id }) => id),
        [own],
      );
      assert.deepEqual(await shop.read(card), before);
    });
  });

  it('leave a ledger that adds up', async () => {
    const audit = await auditLedger({ database: stack.pool({ statementMs: 10_000 }) });
    assert.deepEqual([audit.first, audit.rows > 50], [null, true]);
  });
});
