/** Merchants, programs and their rules, the public catalog, and what operators ask. */
import type { Scenes } from '../play.ts';

const inAWeek = (): string => new Date(Date.now() + 7 * 86_400_000).toISOString();
const pointPerEuro = {
  id: 'base',
  currency: 'EUR',
  effect: { type: 'points_per_amount', points: 1, per: 100 },
};
const doubleOnSundays = {
  id: 'double-on-sundays',
  currency: 'EUR',
  conditions: { times: { days: ['sun'] } },
  effect: { type: 'multiplier', numerator: 2, denominator: 1 },
};

export const merchantScenes = {
  'merchants.create': () => ({ body: { name: 'Coffee Corner' } }),
  'merchants.read': (world) => ({ params: [world.merchantId] }),
  'merchants.set_plan': (world) => ({
    params: [world.merchantId],
    body: { requests_per_minute: 60_000, burst: 12_000, requests_per_month: 500_000_000 },
  }),
  'merchants.set_allowed_origins': (world) => ({
    params: [world.merchantId],
    body: { allowed_origins: ['https://shop.example.com'] },
  }),
  'revocations.create': (world) => ({
    body: { kind: 'subject', value: 'customer-4711', merchant_id: world.merchantId, expires_at: inAWeek() },
  }),
  'shards.read': () => ({}),
  'shards.drain': () => ({ body: { writer_id: 1, drain: false } }),
  'programs.create': () => ({
    body: { name: 'Beans', unit: 'PTS', point_expiry: { period: 'months', count: 12, end_of_month: true } },
  }),
  'programs.read': (world) => ({ params: [world.programId] }),
  'rules.create': (world) => ({ params: [world.programId], body: { rules: [pointPerEuro] } }),
  'rules.list': async (world) => {
    await world.draft();
    return { params: [world.programId], query: { limit: '10' } };
  },
  'rules.current': async (world) => {
    await world.rulesInForce();
    return { params: [world.programId] };
  },
  'rules.read': async (world) => ({ params: [world.programId, await world.draft()] }),
  'rules.add': async (world) => ({
    params: [world.programId, await world.draft()],
    body: { rules: [doubleOnSundays] },
  }),
  'rules.publish': async (world) => ({
    params: [world.programId, await world.draft()],
    body: { effective_from: inAWeek() },
  }),
  'catalog.create': () => ({
    body: { name: 'Coffee card', brand: 'Coffee Corner', currency: 'EUR', denominations: [1_000, 2_500, 5_000] },
  }),
  'catalog.list': async (world) => {
    await world.item();
    return { query: { limit: '1' } };
  },
  'catalog.read': async (world) => ({ params: [await world.item()] }),
} satisfies Partial<Scenes>;
