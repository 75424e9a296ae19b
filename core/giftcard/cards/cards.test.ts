/** Gift cards over HTTP, as the edge calls: each activity's answer, its bounds, its replay; histories, tenancy. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { giftcards, type ProblemCode, wallets } from '@local-plus/contracts';
import { type Answer, assertProblem, operator, type SignedClient, TestStack } from '../../test/stack.ts';
import { parsed, Tenant } from '../../test/tenant.ts';
import { anotherMillisecond } from '../../test/time.ts';
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

  const issue = (body: object, key?: string): Promise<Answer> =>
    shop.tenant.post('/v1/giftcards', { program_id: shop.tenant.programId, ...body }, key);
  const refused = (answer: Answer, code: ProblemCode, status = 409) => assertProblem(answer, status, code);

  describe('are issued', () => {
    it('with a code that is shown once, and never kept', async () => {
      const key = uuid();
      const first = parsed(await issue({ amount: 500, pin: true }, key), 201, giftcards.issuedGiftcard);
      assert.match(first.code ?? '', /^(?:[0-9A-HJKMNP-TV-Z]{4}-){4}[0-9A-HJKMNP-TV-Z]$/);
      assert.match(first.pin ?? '', /^[0-9]{6}$/);
      assert.deepEqual([first.state, first.balance, first.has_pin], ['active', 500, true]);
      assert.ok(first.code?.replaceAll('-', '').includes(first.last_four ?? '?'));
      const again = await issue({ amount: 500, pin: true }, key);
      assert.equal(again.headers.get('idempotent-replayed'), 'true');
      assert.deepEqual(giftcards.issuedGiftcard.parse(again.json), { ...first, code: null, pin: null });
      refused(await issue({ amount: 501, pin: true }, key), 'idempotency_key_reused', 422);
      const rows = await sql`select row_to_json(c)::text as kept from giftcards as c where id = ${first.id}`;
      assert.ok(!JSON.stringify(rows).includes(first.code ?? '?'));
      const answer = await shop.tenant.post('/v1/giftcards/lookup', { code: first.code, pin: first.pin });
      assert.equal(answer.status, 200, answer.text);
    });

    it('once per key, however many ask at once, and one of them is told the code', async () => {
      const key = uuid();
      const answers = await Promise.all(Array.from({ length: 20 }, () => issue({ amount: 5 }, key)));
      const cards = answers.map(({ json }) => giftcards.issuedGiftcard.parse(json));
      assert.equal(new Set(cards.map(({ id }) => id)).size, 1);
      assert.equal(cards.filter(({ code }) => code !== null).length, 1);
      assert.equal((await shop.read(cards[0]?.id ?? '')).balance, 5);
    });

    it('to be activated later, with the amount that they were issued for', async () => {
      const card = await shop.issued({ amount: 300, activate: false });
      assert.deepEqual([card.state, card.balance, card.initial_amount, card.activated_at], ['pending', 0, 300, null]);
      const key = uuid();
      const activated = await shop.ask(card.id, 'activate', {}, key);
      const { activity, amount, balance_after } = parsed(activated, 201, giftcards.activity);
      assert.deepEqual([activity, amount, balance_after], ['activate', 300, 300]);
      assert.deepEqual((await shop.ask(card.id, 'activate', {}, key)).json, activated.json);
      refused(await shop.ask(card.id, 'activate', {}), 'giftcard_active');
      assert.equal(await shop.state(card.id), 'active');
    });

    it('from an item of the catalog, as it says', async () => {
      const body = { name: 'Coffee', brand: 'Bean', currency: 'EUR', denominations: [500, 1_000] };
      const created = await client.post('/v1/catalog', body, { caller: operator });
      const { id } = created.json as { id: string };
      const card = await shop.issued({ amount: 500, catalog_item_id: id });
      assert.deepEqual([card.catalog_item_id, card.balance], [id, 500]);
      refused(await issue({ amount: 501, catalog_item_id: id }), 'giftcard_not_offered');
      refused(await issue({ amount: 500, catalog_item_id: uuid() }), 'not_found', 404);
      const pounds = await client.post('/v1/catalog', { ...body, currency: 'GBP' }, { caller: operator });
      const other = (pounds.json as { id: string }).id;
      refused(await issue({ amount: 500, catalog_item_id: other }), 'giftcard_not_offered');
    });

    it('not for a day that is over, nor in a program of somebody else', async () => {
      refused(await issue({ amount: 1, expires_on: '2020-02-29' }), 'expires_on_passed');
      const stranger = await Tenant.open(client, { unit: 'EUR' });
      refused(await issue({ amount: 1, program_id: stranger.programId }), 'not_found', 404);
      assertProblem(await issue({ amount: -1 }), 400, 'invalid_request');
      assertProblem(await issue({ amount: 1, expires_on: '2026-02-30' }), 400, 'invalid_request');
    });

    it('not where core has no key for codes', async () => {
      const { client: bare } = await stack.startCore({ GIFTCARD_CODE_KEYS: '', WRITER_ID: '2' });
      const body = { program_id: shop.tenant.programId, amount: 1 };
      const answer = await bare.post('/v1/giftcards', body, { caller: shop.tenant.caller });
      assertProblem(answer, 501, 'giftcard_codes_not_configured');
    });
  });

  describe('are imported', () => {
    it('once per external id, and the import can be taken back while nothing is spent', async () => {
      const body = { program_id: shop.tenant.programId, amount: 120, external_id: `old ${uuid()}` };
      const card = await shop.tenant.made('/v1/giftcards/import', body, giftcards.issuedGiftcard);
      assert.deepEqual([card.state, card.balance, card.external_id], ['active', 120, body.external_id]);
      assert.ok(card.code);
      refused(await shop.tenant.post('/v1/giftcards/import', body), 'external_id_taken');
      await shop.done(card.id, 'redeem', { amount: 1 });
      refused(await shop.ask(card.id, 'reverse-import', why), 'insufficient_funds');
      await shop.done(card.id, 'load', { amount: 1 });
      const { activity, amount } = await shop.done(card.id, 'reverse-import', why);
      assert.deepEqual([activity, amount, await shop.state(card.id)], ['reverse_import', 120, 'exhausted']);
      refused(await shop.ask(card.id, 'reverse-import', why), 'reversal_exceeds_original');
      refused(await shop.ask(await shop.card(), 'reverse-import', why), 'not_reversible');
    });
  });

  describe('are redeemed', () => {
    it('in part and whole, and a key has one outcome, whatever becomes of the card', async () => {
      const cardId = await shop.card(100);
      const key = uuid();
      const first = await shop.ask(cardId, 'redeem', { amount: 30, reference: 'order 1', metadata: { till: 7 } }, key);
      const { activity, amount, balance_after, reference, metadata } = parsed(first, 201, giftcards.activity);
      assert.deepEqual(
        [activity, amount, balance_after, reference, metadata],
        ['redeem', 30, 70, 'order 1', { till: 7 }],
      );
      refused(await shop.ask(cardId, 'redeem', { amount: 71 }), 'insufficient_funds');
      const whole = await shop.done(cardId, 'redeem', {});
      assert.deepEqual([whole.amount, whole.balance_after], [70, 0]);
      refused(await shop.ask(cardId, 'redeem', {}), 'insufficient_funds');
      await shop.done(cardId, 'deactivate', why);
      const again = await shop.ask(cardId, 'redeem', { amount: 30, reference: 'order 1', metadata: { till: 7 } }, key);
      assert.deepEqual([again.status, again.json], [201, first.json]);
      refused(await shop.ask(cardId, 'redeem', { amount: 31 }, key), 'idempotency_key_reused', 422);
    });

    it('not in another state, and what was refused for it stays refused', async () => {
      const cardId = await shop.card(100, { activate: false });
      const key = uuid();
      const first = await shop.ask(cardId, 'redeem', { amount: 30 }, key);
      assert.match(refused(first, 'giftcard_pending').detail, /not active yet/);
      await shop.done(cardId, 'activate', {});
      const again = await shop.ask(cardId, 'redeem', { amount: 30 }, key);
      assert.deepEqual([again.status, again.json], [409, first.json]);
      assert.equal(again.headers.get('idempotent-replayed'), 'true');
      await shop.done(cardId, 'redeem', { amount: 30 });
    });
  });

  describe('are refunded', () => {
    it('what a redemption spent, in parts, and never more', async () => {
      const cardId = await shop.card(100);
      const spent = await shop.done(cardId, 'redeem', { amount: 60 });
      const part = await shop.done(cardId, 'refund', { transaction_id: spent.id, amount: 20, reason: 'too cold' });
      assert.deepEqual([part.activity, part.reverses, part.amount, part.reason], ['refund', spent.id, 20, 'too cold']);
      const over = { transaction_id: spent.id, amount: 41 };
      refused(await shop.ask(cardId, 'refund', over), 'reversal_exceeds_original');
      const rest = await shop.done(cardId, 'refund', { transaction_id: spent.id });
      assert.deepEqual([rest.amount, rest.balance_after], [40, 100]);
      refused(await shop.ask(cardId, 'refund', { transaction_id: spent.id }), 'reversal_exceeds_original');
    });

    it('what a capture spent, and nothing else of the card', async () => {
      const cardId = await shop.card(100);
      const hold = await shop.held(cardId, 50);
      const captured = await shop.tenant.made(
        `/v1/holds/${hold.id}/capture`,
        { amount: 20, final: true },
        wallets.transaction,
      );
      await shop.done(cardId, 'refund', { transaction_id: captured.id });
      assert.equal((await shop.read(cardId)).available, 100);
      const loaded = await shop.done(cardId, 'load', { amount: 5 });
      refused(await shop.ask(cardId, 'refund', { transaction_id: loaded.id }), 'not_reversible');
      const strange = await shop.done(await shop.card(9), 'redeem', {});
      refused(await shop.ask(cardId, 'refund', { transaction_id: strange.id }), 'not_found', 404);
      refused(await shop.ask(cardId, 'refund', { transaction_id: uuid() }), 'not_found', 404);
    });

    it('with a reason for what was paid otherwise', async () => {
      const cardId = await shop.card(10);
      const { activity, amount, reason } = await shop.done(cardId, 'refund', { amount: 4, reason: 'goodwill' });
      assert.deepEqual([activity, amount, reason], ['unlinked_refund', 4, 'goodwill']);
      assertProblem(await shop.ask(cardId, 'refund', { amount: 4 }), 400, 'invalid_request');
      assertProblem(await shop.ask(cardId, 'refund', {}), 400, 'invalid_request');
    });

    it('and not by the reversal of a transaction: that is the way of wallets', async () => {
      const spent = await shop.done(await shop.card(10), 'redeem', {});
      const answer = await shop.tenant.post(`/v1/transactions/${spent.id}/reverse`, {});
      refused(answer, 'transaction_managed');
      const read = await shop.tenant.read(`/v1/transactions/${spent.id}`, wallets.transactionWithEntries);
      assert.equal(read.entries.length, 2);
    });
  });

  describe('are corrected, and cleared', () => {
    it('with a reason', async () => {
      const cardId = await shop.card(10);
      const up = await shop.done(cardId, 'adjust', { direction: 'in', amount: 5, ...why });
      const down = await shop.done(cardId, 'adjust', { direction: 'out', amount: 1, ...why });
      assert.deepEqual([up.activity, down.activity, down.balance_after], ['adjust_increment', 'adjust_decrement', 14]);
      await shop.held(cardId, 4);
      const cleared = await shop.done(cardId, 'clear-balance', { reason: 'sold by mistake' });
      assert.deepEqual([cleared.activity, cleared.amount, cleared.held_after], ['clear_balance', 10, 4]);
      refused(await shop.ask(cardId, 'clear-balance', why), 'insufficient_funds');
    });
  });

  describe('are linked', () => {
    it('to one customer at a time, who sees them', async () => {
      const [one, other] = [uuid(), uuid()];
      const ids = [await shop.card(1, { customer_id: one })];
      await anotherMillisecond();
      ids.push(await shop.card(2));
      const key = uuid();
      const linked = await shop.ask(ids[1] ?? '', 'link', { customer_id: one }, key);
      assert.equal(parsed(linked, 201, giftcards.activity).customer_id, one);
      assert.deepEqual((await shop.ask(ids[1] ?? '', 'link', { customer_id: one }, key)).json, linked.json);
      refused(await shop.ask(ids[1] ?? '', 'link', { customer_id: other }), 'giftcard_linked');
      const list = (query: string) => shop.tenant.read(`/v1/giftcards?${query}`, giftcards.giftcardPage);
      const all = await list(`customer_id=${one}`);
      assert.deepEqual(
        all.data.map(({ id }) => id),
        ids.toReversed(),
      );
      const first = await list(`customer_id=${one}&limit=1`);
      const second = await list(`customer_id=${one}&limit=1&cursor=${first.next_cursor}`);
      assert.deepEqual([...first.data, ...second.data, second.next_cursor], [...all.data, null]);
      await shop.done(ids[1] ?? '', 'unlink', {});
      refused(await shop.ask(ids[1] ?? '', 'unlink', {}), 'giftcard_not_linked');
      assert.deepEqual(
        (await list(`customer_id=${one}`)).data.map(({ id }) => id),
        [ids[0]],
      );
      assertProblem(await shop.tenant.get('/v1/giftcards?cursor=x'), 400, 'invalid_cursor');
      assert.ok((await list('limit=1')).next_cursor);
    });
  });
});
