import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { drawPicture } from './picture.ts';
import type { Series } from './report.ts';

function seriesOf(side: string, workload: string, ...rates: number[]): Series {
  const cpuS = { server: 0, postgres: 0, broker: 0, generator: 0 };
  const round = { p50Ms: 0, p99Ms: 0, answers: 0, refused: 0, rows: 0, batchRows: null, cpuS, aftermathMs: 0 };
  return { side, workload, rounds: rates.map((perSecond) => ({ ...round, perSecond })) };
}

function draw(...series: Series[]): string {
  const picture = drawPicture({
    series,
    machine: { processor: '2 × <A&B>' },
    settings: {},
    startedAt: '2026-01-02T03:04:05Z',
  });
  assert.ok(picture !== null);
  return picture;
}

/** Width of each bar, from the first drawn to the last. */
function widths(picture: string): number[] {
  return [...picture.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
}

describe('the picture of the results', () => {
  it('has a bar per side, the longest first, as long as its median says', () => {
    const picture = draw(
      seriesOf('row lock', 'uniform', 1_000, 2_000, 900),
      seriesOf('ours', 'uniform', 20_000, 18_000, 10_000),
      seriesOf('echo', 'uniform', 36_000),
    );
    const [echo = 0, ours = 0, lock = 0] = widths(picture);
    assert.deepEqual(
      [ours / echo, lock / echo].map((share) => Math.round(share * 1_000)),
      [500, 28],
    );
    assert.match(picture, /18,000 \(18\.0 ×\)</);
  });

  it('keeps many wallets and the hot one apart', () => {
    const picture = draw(seriesOf('ours', 'hot', 1), seriesOf('ours', 'uniform', 1));
    assert.ok(picture.indexOf('Many wallets') < picture.indexOf('One hot wallet'));
    assert.equal(widths(picture).length, 2);
  });

  it('can be read on light and on dark ground, and says nothing that is no text', () => {
    const picture = draw(seriesOf('ours', 'uniform', 1));
    assert.match(picture, /prefers-color-scheme: dark/);
    assert.match(picture, /2 × &lt;A&amp;B>/);
  });

  it('is none where nothing of it ran', () => {
    const report = { series: [seriesOf('ours', '20 % replays', 1)], machine: {}, settings: {}, startedAt: '' };
    assert.equal(drawPicture(report), null);
  });
});
