/** Which refusals of the error table no test has met. */
import { problemTable } from '@local-plus/contracts';

export interface Unmet {
  /** Refusals (4xx) that no test was answered with. */
  readonly codes: readonly string[];
  /** Codes that came with another status than the table's, or stand in no table. */
  readonly strange: readonly string[];
}

/** @param seen `<status> <code>` each; empty lines count for nothing */
export function unmet(seen: Iterable<string>): Unmet {
  const met = new Set<string>();
  const strange = new Set<string>();
  const table = problemTable as Readonly<Record<string, { readonly status: number }>>;
  for (const line of seen) {
    const [status = '', code = ''] = line.split(' ');
    if (line === '') continue;
    if (table[code]?.status === Number(status)) met.add(code);
    else strange.add(line);
  }
  const refusals = Object.entries(table).filter(([, { status }]) => status < 500);
  return { codes: refusals.flatMap(([code]) => (met.has(code) ? [] : [code])), strange: [...strange].sort() };
}
