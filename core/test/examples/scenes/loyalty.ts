/** Versions of programs, tiers, rewards and their redemptions. */
import { tiers } from '@local-plus/contracts';
import { eventually } from '../../stack.ts';
import type { Scenes } from '../play.ts';
import type { World } from '../world.ts';

const inAWeek = (): string => new Date(Date.now() + 7 * 86_400_000).toISOString();
const version = () => ({
  point_expiry: { period: 'months', count: 24, end_of_month: true },
  reversal_policy: { type: 'recover' },
  hold_expires_in_s: 86_400,
  effective_from: inAWeek(),
});
const scheme = {
  window: { period: 'days', count: 365 },
  grace_days: 30,
  tiers: [
    { id: 'silver', name: 'Silver', points: 1_000 },
    { id: 'gold', name: 'Gold', points: 5_000 },
  ],
};
const freeCoffee = {
  name: 'A coffee on the house',
  description: 'Any size.',
  gives: { type: 'product', sku: 'coffee' },
  points: 300,
  stock: 500,
  limits: [{ per: 'day', count: 1 }],
};

const program = ({ programId }: World) => `/v1/programs/${programId}`;

async function tiersSet(world: World): Promise<void> {
  await world.create(`${program(world)}/tiers`, scheme);
}

/** Silver by its 1,200 points, and counted: that follows the ledger by a moment. */
async function silverWallet(world: World): Promise<string> {
  await tiersSet(world);
  const id = await world.wallet();
  await eventually('the tier is counted', async () => {
    const { data } = await world.tenant.read(`/v1/wallets/${id}/tier/changes`, tiers.tierChangePage);
    return data.length > 0;
  });
  return id;
}

const draft = (world: World) => world.make(`${program(world)}/rewards`, freeCoffee);

async function reward(world: World): Promise<string> {
  const id = await draft(world);
  await world.change(`/v1/rewards/${id}/publish`, {});
  return id;
}

async function redemption(world: World, walletId?: string): Promise<string> {
  const wallet_id = walletId ?? (await world.wallet());
  return world.make(`/v1/rewards/${await reward(world)}/redeem`, { wallet_id });
}

export const loyaltyScenes = {
  'program_versions.create': (world) => ({ params: [world.programId], body: version() }),
  'program_versions.list': async (world) => {
    await world.make(`${program(world)}/versions`, version());
    return { params: [world.programId], query: { limit: '10' } };
  },
  'program_versions.read': async (world) => ({
    params: [world.programId, await world.make(`${program(world)}/versions`, version())],
  }),
  'tiers.set': (world) => ({ params: [world.programId], body: scheme }),
  'tiers.read': async (world) => {
    await tiersSet(world);
    return { params: [world.programId] };
  },
  'tiers.list': async (world) => {
    await tiersSet(world);
    return { params: [world.programId], query: { limit: '10' } };
  },
  'wallets.tier': async (world) => ({ params: [await silverWallet(world)] }),
  'wallets.tier_changes': async (world) => ({ params: [await silverWallet(world)], query: { limit: '10' } }),
  'rewards.create': (world) => ({ params: [world.programId], body: freeCoffee }),
  'rewards.list': async (world) => {
    await reward(world);
    return { params: [world.programId], query: { status: 'published', limit: '10' } };
  },
  'rewards.read': async (world) => ({ params: [await reward(world)] }),
  'rewards.publish': async (world) => ({ params: [await draft(world)], body: {} }),
  'rewards.withdraw': async (world) => ({ params: [await reward(world)], body: { reason: 'the season is over' } }),
  'rewards.change_stock': async (world) => ({ params: [await reward(world)], body: { add: 50 } }),
  'rewards.redeem': async (world) => ({ params: [await reward(world)], body: { wallet_id: await world.wallet() } }),
  'redemptions.list': async (world) => {
    await redemption(world);
    return { params: [world.programId], query: { limit: '10' } };
  },
  'redemptions.read': async (world) => ({ params: [await redemption(world)] }),
  'redemptions.cancel': async (world) => ({
    params: [await redemption(world)],
    body: { reason: 'the machine is broken' },
  }),
  'wallets.redemptions': async (world) => {
    const id = await world.wallet();
    await redemption(world, id);
    return { params: [id], query: { limit: '10' } };
  },
} satisfies Partial<Scenes>;
