/** Which route was answered how often with what, as hooks.py counted: proof that requests came to what a route does. */
import { readFileSync } from 'node:fs';
import { type Route, routes } from '@local-plus/contracts';
import { z } from 'zod';
import { formatNumber, formatTable } from '../table.ts';

/** `wallets.earn 201` → how often. */
const counts = z.record(z.string().regex(/^[\w.]+ \d{3}$/), z.int());

/** Prints the table, and returns the routes on which no request succeeded. */
export function printAnswers(file: string): string[] {
  const entries = Object.entries(counts.parse(JSON.parse(readFileSync(file, 'utf8'))));
  const statuses = [...new Set(entries.map(([name]) => name.slice(-3)))].sort();
  const countOf = (id: string, status: string): number =>
    entries.find(([name]) => name === `${id} ${status}`)?.[1] ?? 0;
  const rows = Object.keys(routes).map((id) => [id, ...statuses.map((status) => formatNumber(countOf(id, status)))]);
  console.log(formatTable({ title: 'Answers', columns: ['route', ...statuses], rows }));
  return (Object.entries(routes) as [string, Route][]).flatMap(([id, { status }]) =>
    countOf(id, String(status)) === 0 ? [id] : [],
  );
}
