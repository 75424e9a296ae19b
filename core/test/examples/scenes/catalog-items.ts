/** Catalog items, as their owners manage them. */
import type { Scenes } from '../play.ts';
import type { World } from '../world.ts';

const items = '/v1/catalog-items';
const said = {
  kind: 'gift_card',
  name: 'Coffee card',
  brand: 'Coffee Corner',
  currency: 'EUR',
  amounts: { type: 'range', min: 1_000, max: 15_000, step: 500 },
  validity_months: 36,
  countries: ['AT', 'DE'],
  categories: ['food-and-drink'],
  images: ['https://images.example.com/coffee-card.png'],
  description: 'For every coffee in every corner.',
};

const draft = (world: World) => world.make(items, { ...said, stock: 500 });

async function published(world: World): Promise<string> {
  const id = await draft(world);
  await world.change(`${items}/${id}/publish`, { expected_version: 1 });
  return id;
}

export const catalogItemScenes = {
  'catalog_items.create': () => ({ body: { ...said, stock: 500 } }),
  'catalog_items.list': async (world) => {
    await draft(world);
    return { query: { status: 'draft' } };
  },
  'catalog_items.read': async (world) => ({ params: [await draft(world)] }),
  'catalog_items.update': async (world) => ({
    params: [await published(world)],
    body: { ...said, expected_version: 2, countries: ['AT', 'CH', 'DE'] },
  }),
  'catalog_items.publish': async (world) => ({
    params: [await draft(world)],
    body: { expected_version: 1 },
  }),
  'catalog_items.withdraw': async (world) => ({
    params: [await published(world)],
    body: { expected_version: 2 },
  }),
  'catalog_items.change_stock': async (world) => ({
    params: [await published(world)],
    body: { type: 'add', count: 250 },
  }),
} satisfies Partial<Scenes>;
