/**
 * How the time to rate a purchase, and to make rules ready, grows with the number of rules of a program. Prints a table; a
 * figure is the best of several rounds, because others share the processors.
 *
 *     node loadtest/rules-growth.ts
 */
import { rules as wire } from '@local-plus/contracts';
import { type CompiledRules, compile } from '../core/rules/domain.ts';
import { ratePurchase } from '../core/rules/rating.ts';

const ROUNDS = 7;
const PURCHASES = 200;

const euro = { currency: 'EUR', effect: { type: 'fixed', points: 1 } } as const;
const ofSkus = (place: number) => ({ ...euro, id: `r${place}`, conditions: { skus: [`sku-${place}`] } });
/** The worst there is: every rule has to be looked at, and none matches. */
const ofAmounts = (place: number) => ({ ...euro, id: `r${place}`, conditions: { amount: { min: 1_000_000 + place } } });
/** … and every rule matches. */
const ofAll = (place: number) => ({ ...euro, id: `r${place}` });

const kinds = { 'by SKU': ofSkus, 'by amount, none matches': ofAmounts, 'all match': ofAll } as const;

const lines = Array.from({ length: 10 }, (_, place) => ({ sku: `sku-${place}`, category: 'c', amount: 100 }));
const purchase = wire.purchase.parse({ amount: 1_000, currency: 'EUR', lines });
const nowMs = Date.parse('2026-11-21T12:00:00Z');

function bestOf(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const startMs = performance.now();
    run();
    best = Math.min(best, performance.now() - startMs);
  }
  return best;
}

function rateMany(rules: CompiledRules): void {
  for (let count = 0; count < PURCHASES; count++) ratePurchase(rules, purchase, null, nowMs);
}

const table = [];
for (const [kind, make] of Object.entries(kinds)) {
  for (const count of [1, 10, 100, 1_000, 10_000]) {
    const rules = Array.from({ length: count }, (_, place) => wire.rule.parse(make(place)));
    const version = { id: 'v', version: 1, timeZone: 'Europe/Berlin', caps: [], rules };
    const compiled = compile(version);
    table.push({
      kind,
      rules: count,
      'rate µs': Number(((bestOf(() => rateMany(compiled)) / PURCHASES) * 1_000).toFixed(1)),
      'make ready ms': Number(bestOf(() => compile(version)).toFixed(2)),
    });
  }
}
console.table(table);
