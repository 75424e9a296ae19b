/** Many gift cards at once, and the file of their codes. */
import { giftcardBatches } from '@local-plus/contracts';
import { eventually } from '../../stack.ts';
import { batchKey, ended } from '../../tenancy-world.ts';
import { parsed } from '../../tenant.ts';
import type { Scenes } from '../play.ts';
import type { World } from '../world.ts';

const batches = '/v1/giftcard-batches';

async function wanted(world: World) {
  return { program_id: await world.euroProgram(), count: 250, amount: 2_500, public_key: batchKey() };
}

const batch = async (world: World, more: object = {}) => world.make(batches, { ...(await wanted(world)), ...more });

async function issued(world: World): Promise<string> {
  const id = await batch(world);
  await ended(world.client, world.owner, id);
  return id;
}

/** A chunk of it is issued, and the next one takes its time: PINs do. */
async function underWay(world: World): Promise<string> {
  const id = await batch(world, { pin: true });
  await eventually('the first cards are issued', async () => {
    const answer = await world.client.get(`${batches}/${id}`, { caller: world.owner });
    return parsed(answer, 200, giftcardBatches.batch).issued > 0;
  });
  return id;
}

export const giftcardBatchScenes = {
  'giftcard_batches.create': async (world) => ({ body: await wanted(world) }),
  'giftcard_batches.list': async (world) => {
    await issued(world);
    return { query: { limit: '10' } };
  },
  'giftcard_batches.read': async (world) => ({ params: [await issued(world)] }),
  'giftcard_batches.cancel': async (world) => ({ params: [await underWay(world)] }),
  'giftcard_batches.file': async (world) => ({ params: [await issued(world)], query: { from: '249' } }),
  'giftcard_batches.confirm_file': async (world) => ({ params: [await issued(world)], body: { lines: 250 } }),
} satisfies Partial<Scenes>;
