/**
 * Partitions of the network, made by the kernel: packets of one process of core vanish, nobody is told, and connections are
 * neither reset nor made. Unlike a link's proxy that holds what it has, which acknowledges it and takes new connections.
 */
import type { Heal, Network } from '../stage/network/network.ts';
import type { Draw, Fault, Scene } from './fault.ts';
import { isReplaced, shardsOf } from './fault.ts';

const common = { lane: 'core', needs: 'namespaces' } as const;

export const coreIsolated: Fault = {
  ...common,
  name: 'core-isolated',
  weight: 2,
  does: 'the link of one process of core is down until others have its shards, and a while longer; when it is up again, what the process was still sending arrives',
  leaves:
    'what arrives late is refused by its epoch; nothing is written by the process any more, and it ends; its supervisor starts it anew',
  standsFor: 'a machine loses its network and gets it back',
  forMs: [300, 2_500],
  strike: (scene, draw) => cutUntilReplaced(scene, draw, (network) => network.isolate(draw.core)),
};

export const coreWithoutDatabase: Fault = {
  ...common,
  name: 'core-without-database',
  weight: 2,
  does: 'what one process of core sends to Postgres and Kafka vanishes, or what they send to it does, until others have its shards, and a while longer; clients and other processes still reach it',
  leaves:
    'a batch that was committed and never confirmed counts once; one that arrives late writes nothing; no balance is shown that another has changed',
  standsFor: 'a broken route between a process and its database, perhaps one way only',
  forMs: [300, 2_500],
  strike: (scene, draw) =>
    cutUntilReplaced(scene, draw, (network) => network.lose(draw.core, 'data', draw.flag ? 'from-core' : 'to-core')),
};

export const coreWithoutPeers: Fault = {
  ...common,
  name: 'core-without-peers',
  weight: 1,
  does: 'what one process of core sends to the others vanishes, or what they send to it does; it still reaches Postgres, so it keeps its shards',
  leaves: 'what others had handed over to it, or it to them, happened once or not at all; then all is as before',
  standsFor: 'an asymmetric partition: two processes cannot hear each other, and both reach the database',
  forMs: [1_000, 6_000],
  strike: (scene, draw) =>
    cutForAWhile(
      scene,
      draw,
      [draw.core],
      [(network) => network.lose(draw.core, 'peers', draw.flag ? 'from-core' : 'to-core')],
    ),
};

export const corePairParted: Fault = {
  ...common,
  name: 'core-pair-parted',
  weight: 1,
  does: 'what one process of core says to one other vanishes, and what it is told in return; half of the time the same the other way round; both reach Postgres, the third process, and clients',
  leaves:
    'what one had handed over to the other happened once or not at all; nobody takes anything over; then all is as before',
  standsFor: 'a broken route between two of many processes',
  forMs: [1_000, 6_000],
  strike(scene, draw) {
    const { core, count, flag } = draw;
    const others = scene.stage.cores.map((_, index) => index + 1).filter((number) => number !== core);
    const other = others[count % others.length] as number;
    const cuts: Cut[] = [(network) => network.part(core, other)];
    if (flag) cuts.push((network) => network.part(other, core));
    return cutForAWhile(scene, draw, [core, other], cuts);
  },
};

type Cut = (network: Network) => Promise<Heal>;

/** Nobody is replaced: each of `cores` still reaches the database. */
async function cutForAWhile(
  { stage, mark, pause }: Scene,
  { core, forMs }: Draw,
  cores: readonly number[],
  cuts: readonly Cut[],
): Promise<void> {
  const { namespaces } = stage;
  if ('missing' in namespaces) return;
  const areBack = () => Promise.all(cores.map((number) => stage.core(number).isBack()));
  await areBack();
  const atMs = performance.now();
  const heals: Heal[] = [];
  try {
    for (const cut of cuts) heals.push(await cut(namespaces));
    await pause(forMs);
  } finally {
    for (const heal of heals) await heal();
  }
  mark({ kind: 'core-parted', atMs, core, wasReplaced: false });
  await areBack();
}

async function cutUntilReplaced(scene: Scene, { core, forMs }: Draw, cut: Cut): Promise<void> {
  const { namespaces } = scene.stage;
  if ('missing' in namespaces) return;
  const part = scene.stage.core(core);
  await part.isBack();
  const { starts } = part;
  const shards = await shardsOf(scene, core);
  const atMs = performance.now();
  const heal = await cut(namespaces);
  let wasReplaced = false;
  try {
    wasReplaced = await isReplaced(scene, core, shards);
    await scene.pause(forMs);
  } finally {
    await heal();
  }
  scene.mark({ kind: 'core-parted', atMs, core, wasReplaced });
  await part.isBack(wasReplaced ? starts : 0);
  scene.mark({ kind: 'core-back', atMs: performance.now(), core });
}
