/** Wallets, and what moves in them. */
import type { Scenes } from '../play.ts';

const purchase = {
  amount: 4_990,
  currency: 'EUR',
  lines: [{ sku: 'espresso-250', category: 'coffee', amount: 4_990 }],
};

export const walletScenes = {
  'wallets.create': (world) => ({ body: { program_id: world.programId, external_id: 'card 4711' } }),
  'wallets.read': async (world) => ({ params: [await world.wallet()] }),
  'wallets.earn': async (world) => ({
    params: [await world.wallet(0)],
    body: { amount: 500, reference: 'receipt 2026-0815', metadata: { till: '3' } },
  }),
  'wallets.burn': async (world) => ({ params: [await world.wallet()], body: { amount: 200, reference: 'coffee' } }),
  'wallets.adjust': async (world) => ({
    params: [await world.wallet()],
    body: { direction: 'in', amount: 50, reason: 'forgotten at the till' },
  }),
  'wallets.freeze': async (world) => ({ params: [await world.wallet()], body: { reason: 'card reported stolen' } }),
  'wallets.unfreeze': async (world) => {
    const walletId = await world.wallet();
    await world.tenant.post(`/v1/wallets/${walletId}/freeze`, { reason: 'card reported stolen' });
    return { params: [walletId], body: { reason: 'card found again' } };
  },
  'holds.create': async (world) => ({
    params: [await world.wallet()],
    body: { amount: 300, expires_in_s: 86_400, reference: 'reservation 12' },
  }),
  'holds.read': async (world) => ({ params: [await world.hold()] }),
  'holds.capture': async (world) => ({ params: [await world.hold()], body: { amount: 250, final: true } }),
  'holds.release': async (world) => ({ params: [await world.hold()], body: {} }),
  'wallets.balance': async (world) => ({ params: [await world.wallet()] }),
  'wallets.transactions': async (world) => ({ params: [await world.wallet()], query: { limit: '10' } }),
  'transactions.read': async (world) => ({ params: [await world.transaction()] }),
  'transactions.reverse': async (world) => ({
    params: [await world.transaction()],
    body: { amount: 100, reason: 'goods returned' },
  }),
  'transactions.bulk': async (world) => {
    const walletId = await world.wallet();
    return {
      body: [
        { wallet_id: walletId, kind: 'earn', amount: 20, idempotency_key: 'till-3-0001' },
        { wallet_id: walletId, kind: 'burn', amount: 99_999, idempotency_key: 'till-3-0002' },
      ],
    };
  },
  'transfers.create': async (world) => ({
    body: { from_wallet_id: await world.wallet(), to_wallet_id: await world.wallet(0), amount: 150 },
  }),
  'programs.quote': async (world) => {
    await world.rulesInForce();
    return { params: [world.programId], body: { purchase } };
  },
} satisfies Partial<Scenes>;
