/**
 * How many tests a runner really executed, from what the runner itself reports.
 *
 * - C1 a run without a readable report counts as one failure: silence is never a pass.
 * - C2 a cancelled test (a time-out, a hook that failed) is a failed one.
 */
import { z } from 'zod';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const noCounts: Counts = { passed: 0, failed: 0, skipped: 0 };

const natural = z.int().nonnegative();
const nodeCounts = z.object({
  passed: natural,
  cancelled: natural,
  skipped: natural,
  todo: natural,
  tests: natural,
});

/** From the line of count-reporter.ts; `null` when there is none (C1). */
export function readNodeCounts(text: string): Counts | null {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // An empty or cut file: the runner died before its summary. The caller counts it as a failure (C1).
    return null;
  }
  const parsed = nodeCounts.safeParse(json);
  if (!parsed.success) return null;
  const { tests, passed, skipped, todo } = parsed.data;
  return { passed, skipped: skipped + todo, failed: tests - passed - skipped - todo };
}

/**
 * From the JUnit file that `deno test --junit-path` writes; `null` when it is not one. A group (`describe`, or a test
 * with steps) stands beside its members as `group` and `group > member`: only members are counted, unless the group
 * itself failed.
 */
export function readDenoCounts(xml: string): Counts | null {
  if (!/<testsuites\s/.test(xml)) return null;
  const cases = [...xml.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>(.*?)<\/testcase>)/gs)].map(
    ([, name, body]) => ({
      name: name ?? '',
      body: body ?? '',
    }),
  );
  const groups = new Set(cases.flatMap(({ name }) => ancestorsOf(name)));
  let counts = noCounts;
  for (const { name, body } of cases) {
    if (/<(failure|error)\b/.test(body)) counts = { ...counts, failed: counts.failed + 1 };
    else if (groups.has(name)) continue;
    else if (/<skipped\b/.test(body)) counts = { ...counts, skipped: counts.skipped + 1 };
    else counts = { ...counts, passed: counts.passed + 1 };
  }
  return counts;
}

function ancestorsOf(name: string): string[] {
  const parts = name.split(' &gt; ');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join(' &gt; '));
}

export function addCounts(all: readonly Counts[]): Counts {
  return all.reduce(
    (sum, one) => ({
      passed: sum.passed + one.passed,
      failed: sum.failed + one.failed,
      skipped: sum.skipped + one.skipped,
    }),
    noCounts,
  );
}
