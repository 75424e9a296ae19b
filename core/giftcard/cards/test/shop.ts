/** A merchant that issues gift cards on a test's stack: cards in any state, and what may be asked of them. */
import assert from 'node:assert/strict';
import { type GiftcardState, giftcards, movements } from '@local-plus/contracts';
import type { z } from 'zod';
import type { TestDatabase } from '../../../test/database.ts';
import type { Answer, SignedClient } from '../../../test/stack.ts';
import { allPages, parsed, Tenant } from '../../../test/tenant.ts';

export type Sql = TestDatabase['sql'];
type Card = z.output<typeof giftcards.giftcard>;

export class Shop {
  readonly tenant: Tenant;
  readonly #sql: Sql;

  private constructor(tenant: Tenant, sql: Sql) {
    this.tenant = tenant;
    this.#sql = sql;
  }

  static async open(client: SignedClient, sql: Sql): Promise<Shop> {
    return new Shop(await Tenant.open(client, { unit: 'EUR', scale: 2 }), sql);
  }

  /** An active one with so much on it. */
  async card(amount = 100, body: object = {}): Promise<string> {
    return (await this.issued({ amount, ...body })).id;
  }

  issued(body: object): Promise<z.output<typeof giftcards.issuedGiftcard>> {
    const { programId } = this.tenant;
    return this.tenant.made('/v1/giftcards', { program_id: programId, ...body }, giftcards.issuedGiftcard);
  }

  async imported(amount = 100): Promise<string> {
    const body = { program_id: this.tenant.programId, amount, external_id: `old-${crypto.randomUUID()}` };
    return (await this.tenant.made('/v1/giftcards/import', body, giftcards.issuedGiftcard)).id;
  }

  read(cardId: string): Promise<Card> {
    return this.tenant.read(`/v1/giftcards/${cardId}`, giftcards.giftcard);
  }

  async state(cardId: string): Promise<GiftcardState> {
    return (await this.read(cardId)).state;
  }

  ask(cardId: string, route: string, body: unknown, key?: string): Promise<Answer> {
    return this.tenant.post(`/v1/giftcards/${cardId}/${route}`, body, key);
  }

  async done(cardId: string, route: string, body: unknown): Promise<z.output<typeof giftcards.activity>> {
    return parsed(await this.ask(cardId, route, body), 201, giftcards.activity);
  }

  async held(cardId: string, amount: number, expiresInS = 3_600): Promise<z.output<typeof movements.hold>> {
    return parsed(await this.ask(cardId, 'holds', { amount, expires_in_s: expiresInS }), 201, movements.hold);
  }

  /** All that was done with it, newest first, by pages of so many. */
  async activities(cardId: string, limit = 100): Promise<z.output<typeof giftcards.activity>[]> {
    const pages = await allPages((cursor) =>
      this.tenant.read(`/v1/giftcards/${cardId}/activities?limit=${limit}${cursor}`, giftcards.activityPage),
    );
    for (const { data } of pages) assert.ok(data.length <= limit);
    return pages.flatMap(({ data }) => data);
  }

  /** As if its last day had been over for a while. */
  async passLastDay(cardId: string, agoMs = 3_600_000): Promise<void> {
    const at = new Date(Date.now() - agoMs);
    await this.#sql`update giftcards set expires_on = ${at.toISOString().slice(0, 10)}::date, expires_at = ${at},
      settle_at = null where id = ${cardId}`;
  }

  /** With something on it where the state has something. */
  async inState(state: GiftcardState, make: (amount: number) => Promise<string> = (amount) => this.card(amount)) {
    switch (state) {
      case 'pending':
        return this.card(100, { activate: false });
      case 'active':
        return make(100);
      case 'exhausted': {
        const cardId = await make(100);
        await this.done(cardId, 'redeem', {});
        return cardId;
      }
      case 'blocked': {
        const cardId = await make(100);
        await this.done(cardId, 'block', { reason: 'lost' });
        return cardId;
      }
      case 'expired': {
        const cardId = await make(100);
        await this.passLastDay(cardId);
        return cardId;
      }
      case 'deactivated': {
        const cardId = await make(100);
        await this.done(cardId, 'deactivate', { reason: 'stolen' });
        return cardId;
      }
    }
  }
}
