/** Customers, what they agreed to, and what becomes of them. */
import type { Scenes } from '../play.ts';
import type { World } from '../world.ts';

const contact = { name: 'Ada Lovelace', email: 'ada@example.com', phone: '+4930123456', locale: 'de' };

/** With a wallet, and a consent. */
async function regular(world: World): Promise<string> {
  const id = await world.customer();
  await world.make('/v1/wallets', { program_id: world.programId, customer_id: id });
  await world.make(`/v1/customers/${id}/consents`, granted);
  return id;
}

const granted = { purpose: 'marketing.email', status: 'granted', source: 'web:checkout' };

export const customerScenes = {
  'customers.create': () => ({ body: { external_id: 'crm-4711', contact } }),
  'customers.list': async (world) => {
    await world.customer();
    return { query: { external_id: 'crm-4711' } };
  },
  'customers.read': async (world) => ({ params: [await world.customer()] }),
  'customers.update': async (world) => ({
    params: [await world.customer()],
    body: { expected_version: 1, external_id: 'crm-4711', contact: { ...contact, locale: 'en-GB' } },
  }),
  'customers.merge': async (world) => ({
    params: [await world.customer()],
    body: { customer_id: await world.customer('crm-0815') },
  }),
  'customers.erase': async (world) => ({ params: [await world.customer()] }),
  'customers.export': async (world) => ({ params: [await regular(world)] }),
  'customers.wallets': async (world) => ({ params: [await regular(world)] }),
  'consents.record': async (world) => ({ params: [await world.customer()], body: granted }),
  'consents.list': async (world) => ({
    params: [await regular(world)],
    query: { purpose: 'marketing.email', limit: '1' },
  }),
} satisfies Partial<Scenes>;
