/** Programs are looked up once, however many ask at once; what they ask of the ledger changes when its moment comes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type MerchantId, type ProgramId, uuidV7 } from '@local-plus/contracts';
import { Batcher } from '../platform/batching/index.ts';
import { ProgramDirectory } from './directory.ts';
import { withCurrentRules } from './index.ts';
import { programLimits } from './limits.ts';
import type { ScheduledProgram } from './store.ts';
import type { ProgramRules } from './terms.ts';

const { freshMs, staleMs } = programLimits;
const first = {
  point_expiry: 'P12M',
  point_expiry_end_of_month: true,
  reversal_policy: 'negative',
  reversal_negative_limit: 50,
  hold_expires_in_s: 60,
} as const;
const later = { ...first, point_expiry: null, hold_expires_in_s: 61 };

function rowOf(id: ProgramId): ScheduledProgram {
  const merchant_id = uuidV7<MerchantId>(Date.now());
  const header = { name: 'P', unit: 'PTS', scale: 0, created_at: new Date(), request_hash: '' };
  return { id, merchant_id, ...header, ...first, versions: [], known_from_ms: 0 };
}

/** A directory with clocks that are set by hand, and a table that can fail. */
function stage(heldMax = 10) {
  const rows = new Map<ProgramId, ScheduledProgram>();
  const asked: ProgramId[] = [];
  const clock = { wallMs: 1_000_000, monotonicMs: 0, isDown: false };
  const batcher = new Batcher<ProgramId, ScheduledProgram | null>({
    batchMax: 10,
    waitingMax: 100,
    run: async (ids) => {
      asked.push(...ids);
      if (clock.isDown) throw new Error('away');
      return ids.map((id) => rows.get(id) ?? null);
    },
    concernsAll: () => true,
    refusal: () => new Error('full'),
  });
  const directory = new ProgramDirectory({
    rows: batcher,
    heldMax,
    nowMs: () => clock.wallMs,
    monotonicMs: () => clock.monotonicMs,
  });
  const add = (versions: ScheduledProgram['versions'] = []): ProgramId => {
    const id = uuidV7<ProgramId>(Date.now());
    rows.set(id, { ...rowOf(id), versions });
    return id;
  };
  const set = (id: ProgramId, versions: ScheduledProgram['versions'], known_from_ms = 0) =>
    rows.set(id, { ...rowOf(id), versions, known_from_ms });
  const rulesOf = async (id: ProgramId): Promise<ProgramRules> => {
    const facts = await directory.find(id);
    assert.ok(facts);
    return facts.rules;
  };
  return { directory, clock, asked, add, set, rulesOf };
}

const shown = ({ expiry, reversalPolicy, holdExpiresInS }: ProgramRules) => ({
  expiry,
  reversalPolicy,
  holdExpiresInS,
});
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the program directory', () => {
  it('asks once, and gives all the same rules', async () => {
    const { directory, asked, add } = stage();
    const id = add();
    const found = await Promise.all(Array.from({ length: 100 }, () => directory.find(id)));
    assert.deepEqual(asked, [id]);
    assert.equal(new Set(found.map((facts) => facts?.rules)).size, 1);
    assert.ok(found[0]);
    assert.deepEqual(shown(found[0].rules), {
      expiry: { period: 'months', count: 12, endOfMonth: true },
      reversalPolicy: { type: 'negative', limit: 50 },
      holdExpiresInS: 60,
    });
    const known = directory.find(id);
    assert.ok(!(known instanceof Promise) && known === found[0], 'at once when it is known');
  });

  it('F1 F2: holds so many, and does not remember what is not there', async () => {
    const { directory, asked, add } = stage(1);
    const [id, other, absent] = [add(), add(), uuidV7<ProgramId>(Date.now())];
    for (const wanted of [id, other, id, absent, absent]) await directory.find(wanted);
    assert.deepEqual(asked, [id, other, id, absent, absent]);
    assert.equal(await directory.find(absent), null);
  });

  it('V1: one object tells what is in force, to the millisecond, without a read; the clock may step back', async () => {
    const { clock, asked, add, rulesOf } = stage();
    const id = add([
      { ...later, from_ms: 1_000_100 },
      { ...later, hold_expires_in_s: 62, from_ms: 1_000_200 },
      { ...later, hold_expires_in_s: 63, from_ms: 1_000_200 },
    ]);
    const rules = await rulesOf(id);
    const steps = [
      [1_000_099, 60],
      [1_000_100, 61],
      [1_000_199, 61],
      [1_000_200, 63],
      [1_000_150, 61],
      [999_000, 60],
      [2_000_000, 63],
    ] as const;
    for (const [nowMs, seconds] of steps) {
      clock.wallMs = nowMs;
      assert.equal(rules.holdExpiresInS, seconds, `at ${nowMs}`);
    }
    assert.equal(rules.expiry, null);
    assert.deepEqual(asked, [id]);
  });

  it('V2: a new version is known beforehand, by reads for which nobody waits', async () => {
    const { directory, clock, asked, add, set, rulesOf } = stage();
    const id = add();
    const rules = await rulesOf(id);
    set(id, [{ ...later, from_ms: 1_060_000 }]);
    clock.monotonicMs = freshMs - 1;
    await rulesOf(id);
    assert.equal(asked.length, 1, 'what is fresh is not read again');
    clock.monotonicMs = freshMs;
    assert.ok(!(directory.find(id) instanceof Promise), 'nobody waits');
    assert.ok(!(directory.find(id) instanceof Promise));
    await turn();
    assert.equal(asked.length, 2, 'one read for all');
    clock.wallMs = 1_060_000;
    assert.equal(rules.holdExpiresInS, 61, 'who holds the rules since before sees them change');
  });

  it('V2: who would go by what is too old waits for a read, and is told when it fails', async () => {
    const { directory, clock, add, set, rulesOf } = stage();
    const id = add();
    const rules = await rulesOf(id);
    const accounts = withCurrentRules({ find: () => ({ rules }) });
    set(id, [{ ...later, from_ms: 999_999 }]);
    clock.isDown = true;
    clock.monotonicMs = staleMs - 1;
    assert.ok(!(directory.find(id) instanceof Promise), 'a read fails, and nobody needs it');
    await turn();
    clock.monotonicMs = staleMs;
    await assert.rejects(async () => directory.find(id), /away/);
    await assert.rejects(async () => accounts.find(id as never), /away/);
    clock.isDown = false;
    const waiting = accounts.find(id as never);
    assert.ok(waiting instanceof Promise);
    assert.equal((await waiting)?.rules.holdExpiresInS, 61);
    assert.ok(!(accounts.find(id as never) instanceof Promise));
  });

  it('V3: what is not known of the time before a step back of the clock is waited for, and is never what was before', async () => {
    const { directory, clock, add, set } = stage();
    const id = add();
    const known = { ...later, from_ms: 900_000 };
    set(id, [known], 990_000);
    const facts = await directory.find(id);
    assert.ok(facts);
    clock.wallMs = 989_999;
    clock.isDown = true;
    await assert.rejects(async () => directory.find(id), /away/);
    assert.equal(facts.rules.holdExpiresInS, 61);
    clock.isDown = false;
    set(id, [known, { ...later, hold_expires_in_s: 62, from_ms: 985_000 }], 979_999);
    const waiting = directory.find(id);
    assert.ok(waiting instanceof Promise);
    assert.equal((await waiting)?.rules.holdExpiresInS, 62);
    assert.ok(!(directory.find(id) instanceof Promise));
  });

  it('lets terms pass whose rules are of no program', () => {
    const fixed: ProgramRules = { expiry: null, reversalPolicy: { type: 'refuse' }, holdExpiresInS: 1 };
    const accounts = withCurrentRules({ find: () => ({ rules: fixed }) });
    assert.deepEqual(accounts.find(uuidV7(0)), { rules: fixed });
  });
});
