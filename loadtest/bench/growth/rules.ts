/** Curve of a program's earn rules: what one purchase costs core's thread, and what it takes to make a version ready. */
import { rules as wire } from '@local-plus/contracts';
import { type CompiledRules, compile, type RulesVersion } from '../../../core/rules/domain.ts';
import { ratePurchase } from '../../../core/rules/rating.ts';
import { formatNumber } from '../../table.ts';
import type { Curve } from './curve.ts';

const RULE_POINTS = [1, 10, 100, 1_000, 10_000];
const PURCHASES = 200;
/** Others share the processors: the best of several counts. */
const REPEATS = 7;

const euro = { currency: 'EUR', effect: { type: 'fixed', points: 1 } } as const;

const kinds: Readonly<Record<string, (place: number) => object>> = {
  'by SKU': (place) => ({ ...euro, id: `r${place}`, conditions: { skus: [`sku-${place}`] } }),
  'by amount, none matches': (place) => ({
    ...euro,
    id: `r${place}`,
    conditions: { amount: { min: 1_000_000 + place } },
  }),
  'all match': (place) => ({ ...euro, id: `r${place}` }),
};

const lines = Array.from({ length: 10 }, (_, place) => ({ sku: `sku-${place}`, category: 'c', amount: 100 }));
const purchase = wire.purchase.parse({ amount: 1_000, currency: 'EUR', lines });
const nowMs = Date.parse('2026-11-21T12:00:00Z');

export const rules: Curve = async () => {
  const rows: string[][] = [];
  for (const [kind, make] of Object.entries(kinds)) {
    for (const count of RULE_POINTS) {
      const version: RulesVersion = {
        id: 'v',
        version: 1,
        timeZone: 'Europe/Berlin',
        caps: [],
        rules: Array.from({ length: count }, (_, place) => wire.rule.parse(make(place))),
      };
      const compiled = compile(version);
      const rateUs = (bestMsOf(() => rateMany(compiled)) / PURCHASES) * 1_000;
      const readyMs = bestMsOf(() => compile(version));
      rows.push([kind, formatNumber(count), formatNumber(rateUs, 1), formatNumber(readyMs, 2)]);
    }
  }
  return {
    table: {
      title: 'Earn rules of a program, a purchase of ten lines, core’s thread',
      columns: ['rules', 'count', 'µs a purchase', 'ms to make ready'],
      rows,
    },
  };
};

function rateMany(compiled: CompiledRules): void {
  for (let count = 0; count < PURCHASES; count++) ratePurchase(compiled, purchase, null, nowMs);
}

function bestMsOf(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const startMs = performance.now();
    run();
    best = Math.min(best, performance.now() - startMs);
  }
  return best;
}
