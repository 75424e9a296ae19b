/**
 * The results as a picture (SVG): a bar per side and workload, its spread, and what it is times the row lock. Our own marks,
 * no library; the colours follow the reader's light or dark scheme. Pure.
 */
import { formatNumber } from '../../table.ts';
import { formatRatio } from './figures.ts';
import type { BenchReport, Series } from './report.ts';
import { median } from './statistics.ts';

type Drawn = Pick<BenchReport, 'series' | 'machine' | 'settings' | 'startedAt'>;

const WIDTH = 860;
const LABEL_WIDTH = 210;
const VALUE_WIDTH = 170;
const BAR_WIDTH = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
const ROW_HEIGHT = 22;
const BAR_HEIGHT = 14;
const GROUP_HEAD = 40;
const TOP = 56;
const BOTTOM = 34;

const groups: readonly (readonly [workload: string, title: string])[] = [
  ['uniform', 'Many wallets'],
  ['hot', 'One hot wallet'],
];

const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .head { font-weight: 600 }
  .small { font-size: 11px; fill: #59636e }
  .ours { fill: #0969da }
  .other { fill: #8c959f }
  .bound { fill: none; stroke: #8c959f; stroke-dasharray: 3 2 }
  .spread { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small { fill: #9198a1 }
    .ours { fill: #4493f8 }
    .other { fill: #656c76 }
    .bound { stroke: #9198a1 }
    .spread { stroke: #e6edf3 }
  }`;

/** Not rivals: they say how much room there is, and are drawn as outlines. */
const bounds = new Set(['echo', 'group commit without HTTP', 'pgbench']);

/** null: no side ran under a workload that is drawn. */
export function drawPicture(report: Drawn): string | null {
  const drawn = groups
    .map(([workload, title]) => ({ title, rows: report.series.filter((series) => series.workload === workload) }))
    .filter(({ rows }) => rows.length > 0);
  if (drawn.length === 0) return null;
  const highest = Math.max(
    ...drawn.flatMap(({ rows }) => rows.flatMap(({ rounds }) => rounds.map((r) => r.perSecond))),
  );
  const marks: string[] = [];
  let y = TOP;
  for (const { title, rows } of drawn) {
    marks.push(text(16, y + 22, title, 'head'));
    y += GROUP_HEAD - 8;
    const lock = rows.find(({ side }) => side === 'row lock');
    const sorted = rows.toSorted((one, other) => rateOf(other) - rateOf(one));
    for (const series of sorted) {
      marks.push(...row(series, y, BAR_WIDTH / highest, lock === undefined ? null : rateOf(lock)));
      y += ROW_HEIGHT;
    }
    y += 8;
  }
  const height = y + BOTTOM;
  const { processor = '', postgres = '' } = report.machine;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>Durable earns per second</title><style>${style}</style>`,
    text(16, 26, 'Durable earns per second', 'title'),
    text(
      16,
      44,
      'Medians, fsync on; the line is lowest to highest, in brackets times the row lock; dashed: what bounds it, no rivals',
      'small',
    ),
    ...marks,
    text(16, height - 14, `${processor}; Postgres ${postgres}; ${report.startedAt.slice(0, 10)}`, 'small'),
    '</svg>',
    '',
  ].join('\n');
}

function rateOf({ rounds }: Series): number {
  return median(rounds.map(({ perSecond }) => perSecond));
}

function row(series: Series, y: number, scale: number, lockRate: number | null): string[] {
  const { side, rounds } = series;
  const rates = rounds.map(({ perSecond }) => perSecond);
  const rate = rateOf(series);
  const [low, high] = [Math.min(...rates), Math.max(...rates)].map((value) => LABEL_WIDTH + value * scale) as [
    number,
    number,
  ];
  const kind = side.startsWith('ours') ? 'ours' : bounds.has(side) ? 'bound' : 'other';
  const times = lockRate === null || side === 'row lock' ? '' : ` (${formatRatio(rate / lockRate)} ×)`;
  const middle = y + BAR_HEIGHT / 2;
  return [
    text(LABEL_WIDTH - 8, y + 12, side, kind === 'ours' ? 'head' : '', 'end'),
    `<rect class="${kind}" x="${LABEL_WIDTH}" y="${y}" width="${round(Math.max(1, rate * scale))}" height="${BAR_HEIGHT}" rx="2"/>`,
    `<line class="spread" x1="${round(low)}" x2="${round(high)}" y1="${middle}" y2="${middle}"/>`,
    text(round(high) + 8, y + 12, `${formatNumber(rate)}${times}`),
  ];
}

function text(x: number, y: number, content: string, className = '', anchor = 'start'): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x}" y="${y}"${className === '' ? '' : ` class="${className}"`} text-anchor="${anchor}">${escaped}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
