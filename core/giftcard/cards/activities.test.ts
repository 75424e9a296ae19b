/** The table of activities, cell by cell, on real cards: what it allows is done and leads where it says; all else is refused. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  following,
  type GiftcardActivityKind,
  type GiftcardState,
  giftcardActivityKinds,
  giftcardStates,
  problemSchema,
  refusals,
} from '@local-plus/contracts';
import { type Answer, TestStack } from '../../test/stack.ts';
import { Shop, type Sql } from './test/shop.ts';

/** Asked of nobody: how a card comes into being, what time does, and what comes back by itself. */
type Unasked = 'issue' | 'import' | 'expire' | 'transfer_return';

interface Driver {
  /** What the card has to have behind it; it is active then, with something left. */
  readonly prepare?: (shop: Shop, cardId: string) => Promise<string>;
  /** Where that cannot be. */
  readonly not?: readonly GiftcardState[];
  readonly make?: (shop: Shop, amount: number) => Promise<string>;
  readonly ask: (shop: Shop, cardId: string, prepared: string) => Promise<Answer>;
}

const why = { reason: 'why' };
const held = async (shop: Shop, cardId: string) => (await shop.held(cardId, 30)).id;
const linked = async (shop: Shop, cardId: string) => {
  await shop.done(cardId, 'link', { customer_id: customerId });
  return '';
};
const customerId = crypto.randomUUID();

const drivers: Readonly<Record<Exclude<GiftcardActivityKind, Unasked>, Driver>> = {
  activate: { ask: (shop, id) => shop.ask(id, 'activate', {}) },
  load: { ask: (shop, id) => shop.ask(id, 'load', { amount: 5 }) },
  redeem: { ask: (shop, id) => shop.ask(id, 'redeem', {}) },
  refund: {
    not: ['pending'],
    prepare: async (shop, id) => (await shop.done(id, 'redeem', { amount: 40 })).id,
    ask: (shop, id, prepared) => shop.ask(id, 'refund', { transaction_id: prepared }),
  },
  unlinked_refund: { ask: (shop, id) => shop.ask(id, 'refund', { amount: 7, ...why }) },
  hold: { ask: (shop, id) => shop.ask(id, 'holds', { amount: 5 }) },
  capture: {
    not: ['pending', 'exhausted'],
    prepare: held,
    ask: (shop, _id, hold) => shop.tenant.post(`/v1/holds/${hold}/capture`, {}),
  },
  release: {
    not: ['pending', 'exhausted'],
    prepare: held,
    ask: (shop, _id, hold) => shop.tenant.post(`/v1/holds/${hold}/release`, {}),
  },
  adjust_increment: { ask: (shop, id) => shop.ask(id, 'adjust', { direction: 'in', amount: 3, ...why }) },
  adjust_decrement: { ask: (shop, id) => shop.ask(id, 'adjust', { direction: 'out', amount: 3, ...why }) },
  clear_balance: { ask: (shop, id) => shop.ask(id, 'clear-balance', why) },
  reverse_import: {
    not: ['pending'],
    make: (shop, amount) => shop.imported(amount),
    ask: (shop, id) => shop.ask(id, 'reverse-import', why),
  },
  block: { ask: (shop, id) => shop.ask(id, 'block', why) },
  unblock: { ask: (shop, id) => shop.ask(id, 'unblock', why) },
  link: { ask: (shop, id) => shop.ask(id, 'link', { customer_id: customerId }) },
  unlink: { not: ['pending'], prepare: linked, ask: (shop, id) => shop.ask(id, 'unlink', {}) },
  transfer_out: {
    ask: async (shop, id) => shop.ask(id, 'transfer', { to_giftcard_id: await shop.card(1), amount: 2 }),
  },
  transfer_in: {
    ask: async (shop, id) => shop.ask(await shop.card(9), 'transfer', { to_giftcard_id: id, amount: 2 }),
  },
  replace: { ask: (shop, id) => shop.ask(id, 'replace', why) },
  deactivate: { ask: (shop, id) => shop.ask(id, 'deactivate', why) },
};

describe('the table of activities', () => {
  const stack = new TestStack();
  let sql: Sql;
  let shop: Shop;

  before(async () => {
    const { client } = await stack.serve();
    sql = stack.sql(2);
    shop = await Shop.open(client, sql);
  });
  after(() => stack.stop());

  for (const [kind, driver] of Object.entries(drivers) as [keyof typeof drivers, Driver][]) {
    for (const state of giftcardStates) {
      if (driver.not?.includes(state)) continue;
      const next = following(kind, state);
      it(`${kind} of one that is ${state}: ${next.join(' or ') || 'refused'}`, async () => {
        let prepared = '';
        const cardId = await shop.inState(state, async (amount) => {
          const made = await (driver.make?.(shop, amount) ?? shop.card(amount));
          prepared = (await driver.prepare?.(shop, made)) ?? '';
          return made;
        });
        assert.equal(await shop.state(cardId), state);
        const before = await shop.read(cardId);
        const answer = await driver.ask(shop, cardId, prepared);
        if (next.length > 0) {
          assert.equal(answer.status, 201, answer.text);
          assert.ok(next.includes(await shop.state(cardId)), await shop.state(cardId));
          return;
        }
        assert.equal(answer.status, 409, answer.text);
        const { code } = problemSchema.parse(answer.json);
        assert.ok(refusals[state].includes(code as never), code);
        assert.deepEqual(await shop.read(cardId), before);
      });
    }
  }

  it('is whole: every activity that can be asked for is asked for here', () => {
    const unasked: readonly string[] = ['issue', 'import', 'expire', 'transfer_return'];
    assert.deepEqual(
      giftcardActivityKinds.filter((kind) => !unasked.includes(kind)),
      Object.keys(drivers).sort((one, other) => place(one) - place(other)),
    );
  });
});

const place = (kind: string): number => giftcardActivityKinds.indexOf(kind as GiftcardActivityKind);
