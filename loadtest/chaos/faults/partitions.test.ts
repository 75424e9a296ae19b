/** The order in which a partition is made and healed, on a stage that only notes what is asked of it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Scene } from './fault.ts';
import { coreIsolated, corePairParted, coreWithoutDatabase, coreWithoutPeers } from './partitions.ts';

const draw = {
  core: 2,
  link: 'edge-core',
  forMs: 700,
  backMs: 250,
  bytes: 1,
  count: 10,
  flag: true,
} as const;

/** @param owners of shards 0 and 1, at each question; the last answer stays @param pausesMax the run is ended after them */
function sceneOf(owners: readonly (readonly number[] | null)[], pausesMax = 100): { scene: Scene; said: string[] } {
  const said: string[] = [];
  const cut = (what: string) => async () => {
    said.push(what);
    return async () => {
      said.push('heal');
    };
  };
  let asked = 0;
  let pauses = 0;
  const scene = {
    stage: {
      namespaces: {
        isolate: (core: number) => cut(`isolate ${core}`)(),
        lose: (core: number, side: string, way: string) => cut(`lose ${core} ${side} ${way}`)(),
        part: (from: number, to: number) => cut(`part ${from} from ${to}`)(),
      },
      observer: { owners: async () => owners[Math.min(asked++, owners.length - 1)] ?? null },
      cores: [1, 2, 3],
      core: () => ({ starts: 5, isBack: async (starts = 0) => void said.push(`back after ${starts}`) }),
    },
    pause: async (ms: number) => {
      if (++pauses > pausesMax) throw new Error('ended');
      if (ms === draw.forMs) said.push('pause');
    },
    mark: (mark: { kind: string; wasReplaced?: boolean }) =>
      said.push(mark.wasReplaced === undefined ? mark.kind : `${mark.kind} ${mark.wasReplaced}`),
  };
  return { scene: scene as unknown as Scene, said };
}

describe('a partition', () => {
  it('lasts until others have the shards, and a while longer; then a new process is awaited', async () => {
    const { scene, said } = sceneOf([[2, 1], [2, 1], null, [1, 1]]);
    await coreIsolated.strike(scene, draw);
    assert.deepEqual(said, [
      'back after 0',
      'isolate 2',
      'pause',
      'heal',
      'core-parted true',
      'back after 5',
      'core-back',
    ]);
  });

  it('awaits no new process where the old one had nothing that could be taken over', async () => {
    const { scene, said } = sceneOf([[1, 1]]);
    await coreWithoutDatabase.strike(scene, { ...draw, flag: false });
    assert.deepEqual(said.slice(1, 6), ['lose 2 data to-core', 'pause', 'heal', 'core-parted false', 'back after 0']);
  });

  it('between processes takes its time only, and goes one way', async () => {
    const { scene, said } = sceneOf([]);
    await coreWithoutPeers.strike(scene, draw);
    assert.deepEqual(said.slice(1, 4), ['lose 2 peers from-core', 'pause', 'heal']);
  });

  it('between two processes goes one way, or both', async () => {
    const oneWay = sceneOf([]);
    await corePairParted.strike(oneWay.scene, { ...draw, flag: false });
    const steps = ['part 2 from 1', 'pause', 'heal', 'core-parted false', 'back after 0', 'back after 0'];
    assert.deepEqual(oneWay.said.slice(2), steps);
    const bothWays = sceneOf([]);
    await corePairParted.strike(bothWays.scene, { ...draw, count: 11 });
    assert.deepEqual(bothWays.said.slice(2, 7), ['part 2 from 3', 'part 3 from 2', 'pause', 'heal', 'heal']);
  });

  it('is healed when the run is ended meanwhile', async () => {
    for (const fault of [coreIsolated, coreWithoutDatabase, coreWithoutPeers, corePairParted]) {
      const { scene, said } = sceneOf([[2, 1]], 0);
      await assert.rejects(fault.strike(scene, draw), /ended/);
      assert.equal(said.at(-1), 'heal', fault.name);
    }
  });

  it('does nothing where there are no namespaces', async () => {
    const { scene, said } = sceneOf([]);
    Object.assign(scene.stage, { namespaces: { missing: 'none' } });
    await coreIsolated.strike(scene, draw);
    assert.deepEqual(said, []);
  });
});
