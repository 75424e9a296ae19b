/** Gift cards, and all that is done with them. */
import { giftcards } from '@local-plus/contracts';
import { parsed } from '../../tenant.ts';
import type { Scenes } from '../play.ts';
import type { World } from '../world.ts';

const lost = { reason: 'reported lost' };
const inTwoYears = (): string => new Date(Date.now() + 730 * 86_400_000).toISOString().slice(0, 10);

/** With 25.00 EUR. */
export async function giftcard(world: World, more: object = {}): Promise<string> {
  return world.make('/v1/giftcards', { program_id: await world.euroProgram(), amount: 2_500, ...more });
}

async function withPin(world: World): Promise<giftcards.IssuedGiftcard> {
  const body = { program_id: await world.euroProgram(), amount: 2_500, pin: true };
  return parsed(await world.client.post('/v1/giftcards', body, { caller: world.owner }), 201, giftcards.issuedGiftcard);
}

async function importedCard(world: World) {
  return { program_id: await world.euroProgram(), amount: 1_250, external_id: 'old-system-4711' };
}

async function blocked(world: World): Promise<string> {
  const id = await giftcard(world);
  await world.make(`/v1/giftcards/${id}/block`, lost);
  return id;
}

export const giftcardScenes = {
  'giftcards.issue': async (world) => ({
    body: { program_id: await world.euroProgram(), amount: 2_500, expires_on: inTwoYears(), pin: true },
  }),
  'giftcards.import': async (world) => ({ body: await importedCard(world) }),
  'giftcards.list': async (world) => {
    await giftcard(world);
    return { query: { limit: '10' } };
  },
  'giftcards.read': async (world) => ({ params: [await giftcard(world, { expires_on: inTwoYears() })] }),
  'giftcards.activities': async (world) => {
    const id = await giftcard(world);
    await world.make(`/v1/giftcards/${id}/redeem`, { amount: 390, reference: 'order 4711' });
    return { params: [id], query: { limit: '10' } };
  },
  'giftcards.activate': async (world) => ({ params: [await giftcard(world, { activate: false })], body: {} }),
  'giftcards.load': async (world) => ({
    params: [await giftcard(world)],
    body: { amount: 2_000, reference: 'receipt 2026-0815' },
  }),
  'giftcards.redeem': async (world) => ({
    params: [await giftcard(world)],
    body: { amount: 390, reference: 'order 4711', metadata: { till: '3' } },
  }),
  'giftcards.refund': async (world) => {
    const id = await giftcard(world);
    const transaction_id = await world.make(`/v1/giftcards/${id}/redeem`, { amount: 390 });
    return { params: [id], body: { transaction_id, amount: 390, reason: 'goods returned' } };
  },
  'giftcards.hold': async (world) => ({
    params: [await giftcard(world)],
    body: { amount: 1_500, expires_in_s: 86_400, reference: 'reservation 12' },
  }),
  'giftcards.adjust': async (world) => ({
    params: [await giftcard(world)],
    body: { direction: 'out', amount: 500, reason: 'loaded twice' },
  }),
  'giftcards.clear_balance': async (world) => ({
    params: [await giftcard(world)],
    body: { reason: 'sold by mistake' },
  }),
  'giftcards.reverse_import': async (world) => ({
    params: [await world.make('/v1/giftcards/import', await importedCard(world))],
    body: { reason: 'was spent in the old system' },
  }),
  'giftcards.block': async (world) => ({ params: [await giftcard(world)], body: lost }),
  'giftcards.unblock': async (world) => ({ params: [await blocked(world)], body: { reason: 'found again' } }),
  'giftcards.link': async (world) => ({
    params: [await giftcard(world)],
    body: { customer_id: await world.customer() },
  }),
  'giftcards.unlink': async (world) => ({
    params: [await giftcard(world, { customer_id: await world.customer() })],
    body: {},
  }),
  'giftcards.transfer': async (world) => ({
    params: [await giftcard(world)],
    body: { to_giftcard_id: await giftcard(world), amount: 1_000 },
  }),
  'giftcards.replace': async (world) => ({ params: [await blocked(world)], body: lost }),
  'giftcards.deactivate': async (world) => ({ params: [await blocked(world)], body: { reason: 'stolen' } }),
  'giftcards.lookup': async (world) => {
    const { code, pin } = await withPin(world);
    return { body: { code, pin } };
  },
  'giftcard_codes.unlock_pin': async (world) => ({ params: [(await withPin(world)).id] }),
} satisfies Partial<Scenes>;
