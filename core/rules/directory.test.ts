/** The rules in force, from memory: when they are read, and what is known without reading. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ProgramId } from '@local-plus/contracts';
import { RulesDirectory } from './directory.ts';
import { rulesLimits } from './limits.ts';
import type { VersionRow } from './store.ts';
import { fixed, rule } from './test/rules.ts';

const programId = '01890000-0000-7000-8000-000000000000' as ProgramId;
const START_MS = 1_000_000;

function version(id: string, effectiveMs: number): VersionRow {
  return {
    id,
    program_id: programId,
    version: 1,
    name: null,
    status: 'published',
    time_zone: 'UTC',
    caps: [],
    rules_count: 1,
    effective_from: new Date(effectiveMs),
    published_at: new Date(effectiveMs),
    publication_key: 'k',
    publication_hash: '00',
    created_at: new Date(effectiveMs),
    request_hash: '00',
  };
}

/** A store that answers when it is told to, and a clock that stands still. */
class Stage {
  nowMs = START_MS;
  published: VersionRow[] = [version('one', START_MS)];
  reads = 0;
  loads: string[] = [];
  /** Holds answers back. */
  gate: Promise<void> = Promise.resolve();
  readonly directory = new RulesDirectory({
    store: {
      inForce: async () => {
        this.reads++;
        const { published } = this;
        await this.gate;
        return published;
      },
      rules: async (id) => {
        this.loads.push(id);
        return [rule({ id: 'a', effect: fixed(1) })];
      },
    },
    monotonicMs: () => this.nowMs,
  });

  /** The version in force; at once, or it fails. */
  get known(): string | null {
    const found = this.directory.find(programId, this.nowMs);
    assert.ok(!(found instanceof Promise), 'has to be known');
    return found?.id ?? null;
  }

  async find(): Promise<string | null> {
    return (await this.directory.find(programId, this.nowMs))?.id ?? null;
  }
}

describe('the directory of rules', () => {
  it('reads once for all who ask at once, and knows at once from then on', async () => {
    const stage = new Stage();
    assert.deepEqual(await Promise.all([stage.find(), stage.find(), stage.find()]), ['one', 'one', 'one']);
    assert.equal(stage.known, 'one');
    assert.deepEqual([stage.reads, stage.loads], [1, ['one']]);
  });

  it('reads again after its time, and loads only what it has not', async () => {
    const stage = new Stage();
    await stage.find();
    stage.published = [version('two', START_MS)];
    stage.nowMs += rulesLimits.freshMs - 1;
    assert.equal(stage.known, 'one');
    stage.nowMs++;
    assert.equal(await stage.find(), 'two');
    stage.nowMs += rulesLimits.freshMs;
    assert.equal(await stage.find(), 'two');
    assert.deepEqual([stage.reads, stage.loads], [3, ['one', 'two']]);
  });

  it('lets what is to come into force at its moment, without reading', async () => {
    const stage = new Stage();
    stage.published.push(version('two', START_MS + 10), version('three', START_MS + 20));
    assert.equal(await stage.find(), 'one');
    stage.nowMs += 9;
    assert.equal(stage.known, 'one');
    stage.nowMs++;
    assert.equal(await stage.find(), 'two');
    stage.nowMs += 10;
    assert.equal(await stage.find(), 'three');
    assert.equal(stage.reads, 1);
  });

  it('knows that there are none, or none yet', async () => {
    const stage = new Stage();
    stage.published = [version('one', START_MS + 1)];
    assert.equal(await stage.find(), null);
    assert.equal(stage.known, null);
    stage.nowMs++;
    assert.equal(await stage.find(), 'one');
  });

  it('does not remember a read that a change overtook', async () => {
    const stage = new Stage();
    const { promise, resolve } = Promise.withResolvers<void>();
    stage.gate = promise;
    const early = stage.find();
    stage.published = [version('two', START_MS)];
    stage.directory.changed(programId);
    const late = stage.find();
    resolve();
    assert.deepEqual([await early, await late], ['one', 'two']);
    assert.equal(stage.known, 'two');
  });

  it('reads again after a failure', async () => {
    const stage = new Stage();
    stage.gate = Promise.reject(new Error('away'));
    await assert.rejects(stage.find(), /away/);
    stage.gate = Promise.resolve();
    assert.equal(await stage.find(), 'one');
  });
});
