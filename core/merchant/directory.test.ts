/** Programs are looked up once, however many ask at once, and all get the one object. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type MerchantId, type ProgramId, uuidV7 } from '@local-plus/contracts';
import { Batcher } from '../platform/batching/index.ts';
import { ProgramDirectory } from './directory.ts';
import type { ProgramRow } from './store.ts';

function rowOf(id: ProgramId): ProgramRow {
  return {
    id,
    merchant_id: uuidV7<MerchantId>(Date.now()),
    name: 'P',
    unit: 'PTS',
    scale: 0,
    point_expiry: 'P12M',
    point_expiry_end_of_month: true,
    reversal_policy: 'negative',
    reversal_negative_limit: 50,
    hold_expires_in_s: 60,
    created_at: new Date(),
    request_hash: '',
  };
}

function directoryOf(rows: ReadonlyMap<ProgramId, ProgramRow>, heldMax: number) {
  const asked: ProgramId[] = [];
  const batcher = new Batcher<ProgramId, ProgramRow | null>({
    batchMax: 10,
    waitingMax: 100,
    run: async (ids) => {
      asked.push(...ids);
      return ids.map((id) => rows.get(id) ?? null);
    },
    concernsAll: () => true,
    refusal: () => new Error('full'),
  });
  return { directory: new ProgramDirectory(batcher, heldMax), asked };
}

describe('the program directory', () => {
  const id = uuidV7<ProgramId>(Date.now());
  const other = uuidV7<ProgramId>(Date.now());
  const rows = new Map([id, other].map((one) => [one, rowOf(one)]));

  it('asks once, and gives all the same rules', async () => {
    const { directory, asked } = directoryOf(rows, 10);
    const found = await Promise.all(Array.from({ length: 100 }, () => directory.find(id)));
    assert.deepEqual(asked, [id]);
    assert.equal(new Set(found.map((facts) => facts?.rules)).size, 1);
    assert.deepEqual(found[0]?.rules, {
      expiry: { period: 'months', count: 12, endOfMonth: true },
      reversalPolicy: { type: 'negative', limit: 50 },
      holdExpiresInS: 60,
    });
    const known = directory.find(id);
    assert.ok(!(known instanceof Promise) && known === found[0], 'at once when it is known');
  });

  it('F1 F2: holds so many, and does not remember what is not there', async () => {
    const { directory, asked } = directoryOf(rows, 1);
    const absent = uuidV7<ProgramId>(Date.now());
    for (const wanted of [id, other, id, absent, absent]) await directory.find(wanted);
    assert.deepEqual(asked, [id, other, id, absent, absent]);
    assert.equal(await directory.find(absent), null);
  });
});
