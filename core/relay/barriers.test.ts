import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AccountId, shards } from '@local-plus/contracts';
import fc from 'fast-check';
import { type Barrier, Barriers } from './barriers.ts';
import type { Announcement, Chunk } from './domain.ts';
import { postedRow } from './test/stage.ts';

const WRITERS = 3;
const SHARDS = 4;

const accountOf = (shard: number) =>
  `01890000-0000-7000-8000-0000000000${shard.toString(16).padStart(2, '0')}` as AccountId;

/** A history of writers, shards that move between them, and what is published of it by whom, when. */
class History {
  readonly batches: Announcement[][][] = Array.from({ length: WRITERS }, () => []);
  readonly barriers = Array.from({ length: WRITERS }, () => new Barriers());
  readonly published: number[] = Array.from({ length: WRITERS }, () => 0);
  readonly log: { readonly shard: number; readonly version: number }[] = [];
  readonly #owners = Array.from({ length: SHARDS }, () => 0);
  readonly #moves = Array.from({ length: SHARDS }, () => 1);
  readonly #versions = Array.from({ length: SHARDS }, () => 0);

  /** A batch of the writer with a row for each of these shards that is its own; maybe with none. */
  commit(writer: number, wanted: readonly number[]): void {
    const batch = (this.batches[writer] as Announcement[][]).length + 1;
    const own = wanted.filter((shard) => this.#owners[shard] === writer);
    const rows = own.map((shard, place) => {
      const version = ++(this.#versions[shard] as number) && (this.#versions[shard] as number);
      return { batch, place, row: postedRow(accountOf(shard), version) };
    });
    this.batches[writer]?.push(rows);
  }

  move(shard: number, to: number): void {
    const from = this.#owners[shard] as number;
    if (from === to) return;
    const version = ++(this.#moves[shard] as number) && (this.#moves[shard] as number);
    const [fromBatch, toBatch] = [this.batches[from]?.length ?? 0, this.batches[to]?.length ?? 0];
    // B3, as the statement of the move does.
    const standing = (this.barriers[from] as Barriers).all().filter((each) => each.shard === shard);
    const inherited = standing.filter(({ fromWriter }) => fromWriter !== to);
    const own = { shard, version, fromWriter: from, fromBatch, toBatch };
    this.barriers[to]?.add([own, ...onePerWriter(inherited.map((each) => ({ ...each, version, toBatch })))]);
    this.#owners[shard] = to;
  }

  /** The writer's relay publishes what it may of the next batches. False: nothing. */
  publish(writer: number, batchesMax: number): boolean {
    const cursor = this.published[writer] as number;
    const next = this.batches[writer]?.slice(cursor, cursor + batchesMax) ?? [];
    if (next.length === 0) return false;
    const barriers = this.barriers[writer] as Barriers;
    const isOpen = ({ fromWriter, fromBatch }: Barrier) => (this.published[fromWriter] as number) < fromBatch;
    barriers.replace(barriers.all(), barriers.all().filter(isOpen));
    const chunk: Chunk = { rows: next.flat(), lastBatch: cursor + next.length };
    const admitted = barriers.admit(chunk, cursor);
    if (admitted === null) return false;
    for (const { row } of admitted.rows) {
      this.log.push({ shard: shards.shardOf(row.facts.accountId), version: row.posting.version });
    }
    this.published[writer] = admitted.lastBatch;
    return true;
  }

  get isDone(): boolean {
    return this.published.every((count, writer) => count === this.batches[writer]?.length);
  }
}

/** The latest batch of each. */
function onePerWriter(barriers: readonly Barrier[]): readonly Barrier[] {
  const latest = new Map<number, Barrier>();
  for (const barrier of barriers) {
    const known = latest.get(barrier.fromWriter);
    if (known === undefined || known.fromBatch < barrier.fromBatch) latest.set(barrier.fromWriter, barrier);
  }
  return [...latest.values()];
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant('commit'), fc.nat(WRITERS - 1), fc.subarray([0, 1, 2, 3])) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('move'), fc.nat(SHARDS - 1), fc.nat(WRITERS - 1)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('publish'), fc.nat(WRITERS - 1), fc.integer({ min: 1, max: 5 })) },
);

describe('barriers', () => {
  it('I5: keep every account in order across any moves, and never make relays wait for each other', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 80 }),
        fc.array(fc.nat(WRITERS - 1), { maxLength: 20 }),
        (steps, order) => {
          const history = new History();
          for (const [what, first, second] of steps) {
            if (what === 'commit') history.commit(first, second as number[]);
            else if (what === 'move') history.move(first, second as number);
            else history.publish(first, second as number);
          }
          for (const writer of order) history.publish(writer, 3);
          while (!history.isDone) {
            const went = [0, 1, 2].map((writer) => history.publish(writer, 100));
            assert.ok(went.includes(true), 'somebody can go on');
          }
          for (let shard = 0; shard < SHARDS; shard++) {
            const versions = history.log.filter((each) => each.shard === shard).map(({ version }) => version);
            assert.deepEqual(
              versions,
              versions.map((_, index) => index + 1),
            );
          }
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it('forget only what was known before the table was asked', () => {
    const barriers = new Barriers();
    const known: Barrier = { shard: 1, version: 2, fromWriter: 1, fromBatch: 5, toBatch: 0 };
    const late: Barrier = { shard: 1, version: 4, fromWriter: 3, fromBatch: 9, toBatch: 7 };
    barriers.add([known]);
    const before = barriers.all();
    barriers.add([late]);
    barriers.replace(before, []);
    assert.deepEqual(barriers.all(), [late]);
  });
});
