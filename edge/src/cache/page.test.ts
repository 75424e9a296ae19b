import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judge, type Page, type PageBounds, type Said } from './page.ts';

const bounds: PageBounds = {
  freshMs: 60_000,
  freshAloneMs: 10_000,
  confirmedMs: 2_000,
  revalidateMs: 30_000,
  errorMs: 600_000,
};
const sinceMs = 1_800_000_000_000;
const plain: Page = { body: new Uint8Array(), etag: '"e"', sinceMs, generation: null };
const named: Page = { ...plain, generation: 'g1' };
const said = (generation: string, afterMs: number): Said => ({ generation, askedAtMs: sinceMs + afterMs });

describe('a page', () => {
  // after so many milliseconds: use, seconds left, age in seconds
  const cases: readonly (readonly [string, Page, Said | null, number, string, number, number])[] = [
    ['without a generation, young', plain, null, 9_999, 'fresh', 1, 9_999],
    ['without a generation, past its time', plain, null, 10_000, 'stale', 0, 10_000],
    ['without a generation, old', plain, null, 40_000, 'old', -30_000, 40_000],
    ['without a generation, spent', plain, null, 610_000, 'spent', -600_000, 610_000],
    ['without a generation, whatever core says', plain, said('g2', 5_000), 5_001, 'fresh', 4_999, 5_001],
    ['just fetched', named, null, 1_999, 'fresh', 58_001, 1_999],
    ['not confirmed', named, null, 2_000, 'unconfirmed', 58_000, 2_000],
    ['confirmed lately', named, said('g1', 20_000), 21_999, 'fresh', 38_001, 1_999],
    ['confirmed long ago', named, said('g1', 20_000), 22_000, 'unconfirmed', 38_000, 2_000],
    ['confirmed, past its time', named, said('g1', 60_000), 60_000, 'stale', 0, 0],
    ['of another generation', named, said('g2', 500), 1_000, 'moved', 0, 1_000],
    ['of another generation, past its time', named, said('g2', 500), 70_000, 'moved', -10_000, 70_000],
    ['of another generation, spent', named, said('g2', 500), 660_000, 'spent', -600_000, 660_000],
    ['fetched after core was asked', named, said('g0', 0), 1_000, 'fresh', 59_000, 1_000],
  ];
  for (const [name, page, told, afterMs, use, ttlMs, ageMs] of cases) {
    it(`${name}: ${use}`, () => assert.deepEqual(judge(page, told, bounds, sinceMs + afterMs), { use, ttlMs, ageMs }));
  }
});
