/** A merchant whose points pay, on a test's stack: what tests of payments say again and again. */
import { payments as wire } from '@local-plus/contracts';
import type { Answer } from '../../test/stack.ts';
import { parsed, type Tenant } from '../../test/tenant.ts';

export const inEuro = (points: number, amount: number) => ({ currency: 'EUR', rate: { points, amount } });

/** Sets the rate of a tenant's program: so many points pay so much. */
export function setRate(tenant: Tenant, points: number, amount: number): Promise<wire.PaymentRate> {
  return tenant.made(`/v1/programs/${tenant.programId}/payment-rates`, inEuro(points, amount), wire.paymentRate);
}

export const wallet = (wallet_id: string, amount?: number) => ({ type: 'wallet', wallet_id, amount }) as const;

export const card = (giftcard_id: string, amount?: number) => ({ type: 'giftcard', giftcard_id, amount }) as const;

/** A payment in EUR of so much. */
export const asked = (amount: number, sources: readonly object[], more: object = {}) => {
  return { amount, currency: 'EUR', sources, ...more };
};

export function pay(
  tenant: Tenant,
  amount: number,
  sources: readonly object[],
  more: object = {},
): Promise<wire.Payment> {
  return tenant.made('/v1/payments', asked(amount, sources, more), wire.payment);
}

export function paymentOf(tenant: Tenant, id: string): Promise<wire.Payment> {
  return tenant.read(`/v1/payments/${id}`, wire.payment);
}

/** Posts what is decided of a payment, and has to succeed. */
export async function decided(
  tenant: Tenant,
  id: string,
  what: 'capture' | 'void',
  key?: string,
): Promise<wire.Payment> {
  return parsed(await decide(tenant, id, what, key), 200, wire.payment);
}

export function decide(tenant: Tenant, id: string, what: 'capture' | 'void', key?: string): Promise<Answer> {
  return tenant.post(`/v1/payments/${id}/${what}`, undefined, key);
}

export function refund(tenant: Tenant, id: string, body: object = {}): Promise<wire.Refund> {
  return tenant.made(`/v1/payments/${id}/refund`, body, wire.refund);
}

/** Balance and what is held of it. */
export async function pointsOf(tenant: Tenant, walletId: string): Promise<[balance: number, held: number]> {
  const { balance, held } = await tenant.balance(walletId);
  return [balance, held];
}
