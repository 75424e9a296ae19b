/** Payments from several sources, their refunds and rates, and what programs owe. */
import { liability } from '@local-plus/contracts';
import { eventually } from '../../stack.ts';
import type { Scenes } from '../play.ts';
import type { World } from '../world.ts';
import { giftcard } from './giftcards.ts';

const inEuro = { currency: 'EUR', rate: { points: 2, amount: 1 } };

const setRate = (world: World) => world.tenant.post(`/v1/programs/${world.programId}/payment-rates`, inEuro);

/** 29.00 EUR: 4.00 in points, the rest from a card. */
async function mixed(world: World) {
  await setRate(world);
  return {
    amount: 2_900,
    currency: 'EUR',
    sources: [
      { type: 'wallet', wallet_id: await world.wallet(), amount: 400 },
      { type: 'giftcard', giftcard_id: await giftcard(world) },
    ],
  };
}

async function paid(world: World, more: object = {}): Promise<string> {
  return world.make('/v1/payments', { ...(await mixed(world)), ...more });
}

/** Points that a wallet has, when the report shows them: it looks at the ledger once a second at most. */
async function owed(world: World): Promise<void> {
  await world.wallet();
  await eventually('the report shows what is owed', async () => {
    const { data } = await world.tenant.read('/v1/liability', liability.liabilityPage);
    return data.length > 0;
  });
}

export const paymentScenes = {
  'payments.set_rate': (world) => ({ params: [world.programId], body: inEuro }),
  'payments.rates': async (world) => {
    await setRate(world);
    return { params: [world.programId] };
  },
  'payments.quote': async (world) => ({ body: await mixed(world) }),
  'payments.create': async (world) => ({ body: { ...(await mixed(world)), reference: 'order 4711' } }),
  'payments.list': async (world) => {
    await paid(world);
    return { query: { limit: '10' } };
  },
  'payments.read': async (world) => ({ params: [await paid(world)] }),
  'payments.capture': async (world) => ({ params: [await paid(world, { capture: false })] }),
  'payments.void': async (world) => ({ params: [await paid(world, { capture: false })] }),
  'payments.refund': async (world) => ({
    params: [await paid(world)],
    body: { amount: 2_600, reason: 'goods returned' },
  }),
  'payments.refunds': async (world) => {
    const id = await paid(world);
    await world.make(`/v1/payments/${id}/refund`, { amount: 500 });
    return { params: [id] };
  },
  'liability.program': async (world) => {
    await setRate(world);
    await owed(world);
    const today = new Date().toISOString().slice(0, 10);
    return { params: [world.programId], query: { from: today, to: today } };
  },
  'liability.list': async (world) => {
    await owed(world);
    return { query: { limit: '10' } };
  },
} satisfies Partial<Scenes>;
