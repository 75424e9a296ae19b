/**
 * A merchant that has one of everything: what the parameters in the paths of routes can name, made by the routes that make
 * it, once each and in the order in which it is needed.
 *
 * A new kind of thing is one line in {@link makers}, under the name of its parameter. A new route whose body has no example
 * in the contracts, or one that is not right for these things, is one line in {@link bodies}.
 */
import { generateKeyPairSync } from 'node:crypto';
import { giftcardBatches, type Route, type RouteId, routes } from '@local-plus/contracts';
import * as z from 'zod';
import { World as Things } from './examples/world.ts';
import { type Caller, eventually, type SignedClient } from './stack.ts';
import { parsed } from './tenant.ts';

type Make = (world: World) => Promise<string>;

export const thingNames = [
  'merchant_id',
  'api_key_id',
  'member_id',
  'program_id',
  'program_version_id',
  'rules_id',
  'wallet_id',
  'transaction_id',
  'hold_id',
  'customer_id',
  'giftcard_id',
  'giftcard_batch_id',
  'euro_program_id',
  'item_id',
  'payment_id',
  'reward_id',
  'redemption_id',
] as const;
export type ThingName = (typeof thingNames)[number];

export const makers: Readonly<Record<ThingName, Make>> = {
  merchant_id: async (world) => world.merchantId,
  api_key_id: async ({ things }) => things.apiKey(),
  member_id: async (world) => {
    const members = `/v1/merchants/${world.merchantId}/members`;
    await world.make(members, { subject: 'owner', role: 'owner' });
    return world.make(members, { subject: 'till', role: 'cashier' });
  },
  program_id: async ({ things }) => things.programId,
  program_version_id: async (world) => world.id('program_id'),
  rules_id: async ({ things }) => things.draft(),
  wallet_id: async ({ things }) => things.wallet(1_000_000),
  transaction_id: async ({ things }) => things.transaction(),
  hold_id: async ({ things }) => things.hold(),
  customer_id: async ({ things }) => things.customer('c-1'),
  giftcard_id: async (world) =>
    world.make('/v1/giftcards', { program_id: await world.id('euro_program_id'), amount: 10_000 }),
  giftcard_batch_id: async (world) => {
    const body = { program_id: await world.id('euro_program_id'), amount: 1_000, count: 1, public_key: batchKey() };
    const id = await world.make('/v1/giftcard-batches', body);
    await ended(world.client, world.caller, id);
    return id;
  },
  euro_program_id: async ({ things }) => things.euroProgram(),
  item_id: async (world) => {
    const amounts = { type: 'fixed', denominations: [1_000] };
    const item = { kind: 'gift_card', name: 'Card', brand: 'Brand', currency: 'EUR', amounts, stock: 10 };
    return world.make('/v1/catalog-items', item);
  },
  payment_id: async (world) => {
    const [program, wallet] = [await world.id('program_id'), await world.id('wallet_id')];
    await world.post(`/v1/programs/${program}/payment-rates`, { currency: 'EUR', rate: { points: 1, amount: 1 } });
    const sources = [{ type: 'wallet', wallet_id: wallet }];
    return world.make('/v1/payments', { amount: 100, currency: 'EUR', sources, capture: false });
  },
  reward_id: async (world) => {
    const gives = { type: 'discount', by: 'amount', amount: 500, currency: 'EUR' };
    const body = { name: 'Five off', gives, points: 10, stock: 100, limits: [] };
    const id = await world.make(`/v1/programs/${await world.id('program_id')}/rewards`, body);
    await world.post(`/v1/rewards/${id}/publish`, {});
    return id;
  },
  redemption_id: async (world) => {
    const wallet_id = await world.id('wallet_id');
    return world.make(`/v1/rewards/${await world.id('reward_id')}/redeem`, { wallet_id });
  },
};

/** For the codes of a batch; nobody has its private key. */
export function batchKey(): giftcardBatches.PublicKey {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return giftcardBatches.publicKey.parse(publicKey.export({ format: 'jwk' }));
}

/** The cards of a batch are issued. */
export async function ended(client: SignedClient, caller: Caller, id: string): Promise<void> {
  await eventually('the cards are issued', async () => {
    const answer = await client.get(`/v1/giftcard-batches/${id}`, { caller });
    return parsed(answer, 200, giftcardBatches.batch).ended_at !== null;
  });
}

const reason = { reason: 'because' };
const nothing = async () => ({});

/** Of routes whose example does not do, or that have none. */
export const bodies: Readonly<Partial<Record<RouteId, (world: World) => Promise<object>>>> = {
  'merchants.set_plan': async () => ({ requests_per_minute: 600, burst: null, requests_per_month: null }),
  'merchants.set_allowed_origins': async () => ({ allowed_origins: [] }),
  'api_keys.create': async () => ({ name: 'k' }),
  'merchants.transition': async () => ({ action: 'close', ...reason }),
  'customers.update': async () => ({ expected_version: 1, external_id: 'c-1', contact: {} }),
  'customers.merge': async (world) => ({ customer_id: await world.make('/v1/customers', {}) }),
  'consents.record': async () => ({ purpose: 'marketing.email', status: 'granted', source: 'web' }),
  'rewards.redeem': async (world) => ({ wallet_id: await world.id('wallet_id') }),
  'wallets.burn': async () => ({ amount: 1 }),
  'wallets.adjust': async () => ({ direction: 'in', amount: 1, ...reason }),
  'wallets.freeze': async () => reason,
  'wallets.unfreeze': async () => reason,
  'holds.create': async () => ({ amount: 1 }),
  'holds.capture': nothing,
  'holds.release': nothing,
  'transactions.reverse': nothing,
  'payments.set_rate': async () => ({ currency: 'EUR', rate: { points: 1, amount: 1 } }),
  'payments.capture': nothing,
  'payments.void': nothing,
  'payments.refund': async () => ({ amount: 1 }),
  'giftcard_batches.confirm_file': async () => ({ lines: 1 }),
  'giftcards.activate': nothing,
  'giftcards.hold': async () => ({ amount: 1 }),
  'giftcards.refund': async (world) => ({
    transaction_id: await world.make(`/v1/giftcards/${await world.id('giftcard_id')}/redeem`, { amount: 10 }),
    amount: 1,
  }),
  'giftcards.link': async (world) => ({ customer_id: await world.id('customer_id') }),
  'giftcards.unlink': nothing,
  'giftcards.transfer': async (world) => ({
    to_giftcard_id: await world.make('/v1/giftcards', { program_id: await world.id('euro_program_id'), amount: 1 }),
  }),
  'catalog_items.update': async () => ({
    expected_version: 1,
    kind: 'gift_card',
    currency: 'EUR',
    name: 'Card',
    brand: 'Brand',
    amounts: { type: 'fixed', denominations: [1_000] },
  }),
  'catalog_items.publish': async () => ({ expected_version: 1 }),
  'catalog_items.withdraw': async () => ({ expected_version: 1 }),
  'catalog_items.change_stock': async () => ({ type: 'add', count: 1 }),
};

/** What whose it is would end, though others are still to be asked about it. */
export const endings: ReadonlySet<RouteId> = new Set([
  'merchants.transition',
  'giftcard_batches.cancel',
  'rewards.withdraw',
]);

/** Queries that a route cannot do without. */
export const queries: Readonly<Partial<Record<RouteId, string>>> = {};

export class World {
  /** Makes what examples are about, too. */
  readonly things: Things;
  readonly #made = new Map<ThingName, Promise<string>>();

  private constructor(things: Things) {
    this.things = things;
  }

  static async open(client: SignedClient): Promise<World> {
    return new World(await Things.open(client));
  }

  get client(): SignedClient {
    return this.things.client;
  }

  get merchantId(): string {
    return this.things.merchantId;
  }

  /** Has every scope that a key can have. */
  get caller(): Caller {
    return this.things.owner;
  }

  post(target: string, body: object) {
    return this.client.post(target, body, { caller: this.caller });
  }

  /** Creates something, and returns its id. */
  make(target: string, body: object): Promise<string> {
    return this.things.make(target, body);
  }

  /** The one thing of that name. */
  id(name: ThingName): Promise<string> {
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const making = makers[name](this);
    this.#made.set(name, making);
    return making;
  }

  /** The route's path about this merchant's things. */
  async target(routeId: RouteId): Promise<string> {
    let path: string = routes[routeId].path;
    for (const [segment, name = ''] of path.matchAll(/\{(\w+)\}/g)) {
      if (!thingNames.includes(name as ThingName))
        throw new Error(`core/test/tenancy-world.ts does not know what ${name} is`);
      path = path.replace(segment, await this.id(name as ThingName));
    }
    return path + (queries[routeId] ?? '');
  }

  /** What the route accepts about this merchant's things; undefined: it takes none. */
  async body(routeId: RouteId): Promise<object | undefined> {
    const { body }: Route = routes[routeId];
    if (body === null) return undefined;
    const own = bodies[routeId];
    if (own !== undefined) return own(this);
    const [example] = (z.globalRegistry.get(body)?.['examples'] ?? []) as object[];
    if (example === undefined) throw new Error(`core/test/tenancy-world.ts has no body for ${routeId}`);
    return example;
  }
}
