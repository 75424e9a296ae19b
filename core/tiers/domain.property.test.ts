/**
 * Any earns, reversals, pauses and changes of tiers: what is counted step by step beside the naive model over all rows.
 * SEED=<the seed in the test's name> repeats a run.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type RequestId, uuidV7 } from '@local-plus/contracts';
import fc from 'fast-check';
import { advance, type Change, type CountedRow, DAY_MS, dayOf, newState, type Scheme, standingOn } from './domain.ts';
import { naivePoints, naiveTier } from './test/naive-model.ts';

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const requestId = uuidV7<RequestId>(0);
const beganAtMs = Date.parse('2026-01-20T12:00:00Z');

const aWindow = fc.oneof(
  fc.record({ period: fc.constant('days' as const), count: fc.integer({ min: 1, max: 12 }) }),
  fc.record({ period: fc.constant('months' as const), count: fc.integer({ min: 1, max: 3 }) }),
);
const someTiers = fc
  .uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 4 })
  .map((points) =>
    points.sort((one, other) => one - other).map((each, place) => ({ id: `t${place}`, name: 'T', points: each })),
  );
const terms = fc.record({ window: aWindow, graceDays: fc.integer({ min: 0, max: 6 }), tiers: someTiers });
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('earn' as const), points: fc.integer({ min: 1, max: 40 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('reverse' as const),
      which: fc.nat({ max: 20 }),
      part: fc.integer({ min: 1, max: 40 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ type: 'burn' as const }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('wait' as const), hours: fc.integer({ min: 0, max: 500 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('tiers' as const), terms }) },
  { weight: 3, arbitrary: fc.constant({ type: 'look' as const }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** The rows that the steps make, and what is to be looked at in between. */
class Stage {
  readonly rows: CountedRow[] = [];
  readonly #earns: { row: CountedRow; left: number }[] = [];
  nowMs: number;

  constructor(startMs: number) {
    this.nowMs = startMs;
  }

  earn(points: number): void {
    const row = this.#add(points, this.nowMs);
    this.#earns.push({ row, left: points });
  }

  reverse(which: number, part: number): void {
    const earn = this.#earns[which % Math.max(this.#earns.length, 1)];
    if (earn === undefined || earn.left === 0) return this.burn();
    const points = Math.min(part, earn.left);
    earn.left -= points;
    this.#add(-points, earn.row.earnedAtMs);
  }

  burn(): void {
    this.#add(0, this.nowMs);
  }

  #add(points: number, earnedAtMs: number): CountedRow {
    const row = { version: this.rows.length + 1, atMs: this.nowMs, requestId, points, earnedAtMs };
    this.rows.push(row);
    return row;
  }
}

/** All the rows that there are, in pages; the changes that came of it. */
function caughtUp(from: ReturnType<typeof newState>, scheme: Scheme, stage: Stage, pageRows: number) {
  let state = from;
  const changes: Change[] = [];
  for (;;) {
    const rows = stage.rows.slice(state.version, state.version + pageRows);
    const isWhole = rows.length < pageRows;
    const next = advance(state, scheme, rows, isWhole, stage.nowMs);
    const isDone = next.change === null && isWhole;
    if (next.change !== null) changes.push(next.change);
    state = next.state;
    if (isDone) return { state, changes };
  }
}

const seen = new Set<string>();

function run(
  first: Omit<Scheme, 'version' | 'beganAtMs'>,
  startDays: number,
  steps: readonly Step[],
  pageRows: number,
) {
  const stage = new Stage(beganAtMs - startDays * DAY_MS);
  let scheme: Scheme = { ...first, version: 1, beganAtMs };
  let state = newState(scheme);
  const history: Change[] = [];
  const look = (): void => {
    if (stage.nowMs < beganAtMs) return;
    const { state: now, changes } = caughtUp(state, scheme, stage, pageRows);
    state = now;
    history.push(...changes);
    for (const { direction, cause } of changes) seen.add(direction).add(cause);
    const today = dayOf(stage.nowMs);
    const expected = naiveTier(stage.rows, scheme, today);
    assert.equal(state.tier, expected);
    const standing = standingOn(scheme, state.days, today);
    assert.equal(standing.points, naivePoints(stage.rows, scheme, today));
    assert.equal(scheme.tiers[standing.place]?.id ?? null, expected);
    assert.equal(state.version, stage.rows.length);
    if (state.dueDay !== null) {
      seen.add('due');
      assert.equal(naiveTier(stage.rows, scheme, state.dueDay - 1), expected, 'it is safe until then');
      assert.notEqual(naiveTier(stage.rows, scheme, state.dueDay), expected, 'and falls then');
    }
  };
  for (const each of steps) {
    if (each.type === 'earn') stage.earn(each.points);
    if (each.type === 'reverse') stage.reverse(each.which, each.part);
    if (each.type === 'burn') stage.burn();
    if (each.type === 'wait') stage.nowMs += each.hours * 3_600_000;
    if (each.type === 'look') look();
    if (each.type === 'tiers') {
      look();
      scheme = { ...each.terms, version: scheme.version + 1, beganAtMs };
    }
  }
  stage.nowMs = Math.max(stage.nowMs, beganAtMs);
  look();
  return { history, state };
}

describe('tiers, any of them', () => {
  it(`are those of the naive model, whenever they are looked at (SEED=${seed})`, () => {
    fc.assert(
      fc.property(
        terms,
        fc.nat({ max: 20 }),
        fc.array(step, { maxLength: 40 }),
        fc.integer({ min: 1, max: 9 }),
        (...asked) => {
          run(...asked);
        },
      ),
      { seed, numRuns: 3_000 },
    );
    for (const what of ['promotion', 'demotion', 'earn', 'reversal', 'time', 'tiers', 'due']) {
      assert.ok(seen.has(what), `${what} came up`);
    }
  });

  it(`T2: have the same history however often, and in whatever pages, they are looked at (SEED=${seed})`, () => {
    const noNewTiers = step.filter(({ type }) => type !== 'tiers');
    fc.assert(
      fc.property(
        terms,
        fc.nat({ max: 20 }),
        fc.array(noNewTiers, { maxLength: 40 }),
        fc.integer({ min: 1, max: 9 }),
        (first, startDays, steps, pageRows) => {
          const often = run(first, startDays, steps, pageRows);
          const once = run(
            first,
            startDays,
            steps.filter(({ type }) => type !== 'look'),
            1_000,
          );
          assert.deepEqual(once.history, often.history);
          assert.deepEqual([once.state.tier, once.state.sinceMs], [often.state.tier, often.state.sinceMs]);
          for (const [place, change] of once.history.entries()) {
            const before = once.history[place - 1];
            assert.equal(change.place, place + 1);
            assert.equal(change.from, before?.to ?? null);
            assert.ok(change.atMs >= (before?.atMs ?? beganAtMs));
          }
        },
      ),
      { seed, numRuns: 1_500 },
    );
  });
});
