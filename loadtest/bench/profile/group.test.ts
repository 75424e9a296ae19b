import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CpuProfile, groupProfile } from './group.ts';
import { stageOf, stages } from './stages.ts';

const [http, terms, , decide, , postgres, , , collection, native] = stages;

function node(id: number, functionName: string, url: string, children: number[] = []): CpuProfile['nodes'][number] {
  return { id, callFrame: { functionName, url, lineNumber: 1 }, children };
}

const root = 'file:///somewhere/local-plus';
const profile: CpuProfile = {
  nodes: [
    node(1, '(root)', '', [2, 3, 4, 8]),
    node(2, '(idle)', ''),
    node(3, '(garbage collector)', ''),
    node(4, 'handle', `${root}/core/platform/http/exchange.ts`, [5, 6]),
    // No file of any stage: it counts for its caller.
    node(5, 'digest', 'node:internal/crypto/hash'),
    node(6, 'move', `${root}/core/ledger/submission.ts`, [7]),
    node(7, 'guard', `${root}/actors/account/guards.ts`),
    node(8, 'onread', 'node:internal/stream', [9]),
    node(9, 'data', `${root}/node_modules/postgres/src/connection.js`, [10]),
    node(10, 'write', 'node:net'),
  ],
  samples: [2, 3, 4, 5, 5, 6, 7, 8, 9, 10],
  timeDeltas: [1_000, 1, 2, 3, 4, 10, 20, 40, 100, 200],
};

describe('time per stage', () => {
  const { stageUs, busyUs, idleUs, functions } = groupProfile(profile);

  it('a function counts for the stage of its file, or of its nearest caller', () => {
    const found = [http, terms, decide, postgres, collection, native].map((stage) => stageUs.get(stage));
    assert.deepEqual(found, [9, 10, 20, 300, 1, 40]);
  });

  it('nothing is lost or counted twice, and idling is no work', () => {
    assert.equal(busyUs, 380);
    assert.equal(idleUs, 1_000);
    assert.equal(
      functions.reduce((sum, { us }) => sum + us, 0),
      busyUs,
    );
  });

  it('a function that is met in several places is one', () => {
    assert.deepEqual(functions[0], { name: 'write  node:net', stage: postgres, us: 200 });
    assert.deepEqual(
      functions.filter(({ name }) => name.startsWith('digest')),
      [{ name: 'digest  node:internal/crypto/hash', stage: http, us: 7 }],
    );
  });

  it('the files of the hot path have a stage', () => {
    for (const [path, stage] of [
      ['core/ledger/statements.ts', postgres],
      ['core/ledger/wallets-handler.ts', terms],
      ['contracts/signature.ts', http],
      ['actors/runtime/lane.ts', stages[4]],
      ['actors/runtime/actor.ts', stages[2]],
      ['core/relay/relay.ts', stages[6]],
    ] as const) {
      assert.equal(stageOf({ functionName: 'any', url: `${root}/${path}` }), stage, path);
    }
  });
});
