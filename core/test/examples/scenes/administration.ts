/** What a merchant's owners do: keys, states, configuration, members, and the trail of it. */
import { operator } from '../../stack.ts';
import { anotherMillisecond } from '../../time.ts';
import type { Scenes } from '../play.ts';
import type { World } from '../world.ts';

const configuration = {
  time_zone: 'Europe/Berlin',
  support_url: 'https://help.example.com/cards',
};
const cashier = { subject: 'auth0-5f2c', role: 'cashier' };

const merchant = ({ merchantId }: World) => `/v1/merchants/${merchantId}`;
const member = (world: World, body: object = cashier) => world.make(`${merchant(world)}/members`, body);

async function configured(world: World): Promise<void> {
  await world.create(`${merchant(world)}/configuration`, { expected_version: 0, configuration });
}

/** An owner, and somebody at the till. */
async function staff(world: World): Promise<string> {
  await member(world, { subject: 'auth0-77e1', role: 'owner' });
  await anotherMillisecond();
  return member(world);
}

async function changed(world: World): Promise<void> {
  await configured(world);
  await member(world);
}

export const administrationScenes = {
  'api_keys.create': (world) => ({
    params: [world.merchantId],
    body: { name: 'till 3', scopes: ['wallets:read', 'transactions:write'], requests_per_minute: 1_200 },
    caller: operator,
  }),
  'api_keys.rotate': async (world) => ({
    params: [world.merchantId, await world.apiKey()],
    body: { overlap_s: 86_400 },
    caller: operator,
  }),
  'api_keys.revoke': async (world) => ({ params: [world.merchantId, await world.apiKey()] }),
  'api_keys.list': async (world) => {
    await world.apiKey();
    return { params: [world.merchantId], query: { limit: '10' } };
  },
  'merchants.transition': (world) => ({
    params: [world.merchantId],
    body: { action: 'suspend', reason: 'chargebacks' },
    caller: operator,
  }),
  'merchants.transitions': async (world) => {
    const moves = `${merchant(world)}/transitions`;
    await world.make(moves, { action: 'suspend', reason: 'chargebacks' }, operator);
    await world.make(moves, { action: 'resume', reason: 'all paid back' }, operator);
    return { params: [world.merchantId], query: { limit: '10' } };
  },
  'configuration.read': async (world) => {
    await configured(world);
    return { params: [world.merchantId] };
  },
  'configuration.set': (world) => ({ params: [world.merchantId], body: { expected_version: 0, configuration } }),
  'configuration.versions': async (world) => {
    await configured(world);
    return { params: [world.merchantId], query: { limit: '10' } };
  },
  'members.create': (world) => ({ params: [world.merchantId], body: cashier }),
  'members.list': async (world) => {
    await staff(world);
    return { params: [world.merchantId], query: { limit: '10' } };
  },
  'members.set_role': async (world) => ({ params: [world.merchantId, await staff(world)], body: { role: 'manager' } }),
  'members.remove': async (world) => ({ params: [world.merchantId, await staff(world)] }),
  'audit.list': async (world) => {
    await changed(world);
    return { query: { limit: '2' } };
  },
  'audit.verify': async (world) => {
    await changed(world);
    return { query: { after: '0' } };
  },
} satisfies Partial<Scenes>;
