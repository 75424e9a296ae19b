/**
 * What the gate prints: a line per step as it ends, the end of the log of a failed one, one table, and the last line.
 */
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { readFileIfAny } from '../local/files.ts';
import { addCounts } from './counts.ts';
import { limits } from './limits.ts';
import { logFileOf, type StepResult } from './run-step.ts';

const marks = { passed: '✓', failed: '✗', skipped: '–' } as const;
const nameWidth = 18;

export function endLine(result: StepResult): string {
  const { passed, failed } = result.counts;
  const tests = passed + failed > 1 ? `  ${passed} passed, ${failed} failed` : '';
  const note = result.note === '' ? '' : `  ${result.note}`;
  return `${marks[result.verdict]} ${result.name.padEnd(nameWidth)} ${seconds(result)} s${tests}${note}`;
}

/** The end of a failed step's log, under a heading that names the whole file. */
export function failureText(result: StepResult, logDir: string, repositoryDir: string): string {
  const file = logFileOf(logDir, result.name);
  const text = stripVTControlCharacters(readFileIfAny(file) ?? '').trimEnd();
  const lines = text.slice(-limits.failureCharsMax).split('\n').slice(-limits.failureLineCount);
  return [`── ${result.name}: the end of ${relative(repositoryDir, file)}`, ...lines, '──'].join('\n');
}

/** The table and, alone on its line, the true number of tests. */
export function summary(results: readonly StepResult[]): string {
  const rows = results.map((result) => {
    const { passed, failed, skipped } = result.counts;
    const tests = [passed, failed, skipped].map((count) => String(count).padStart(7)).join('');
    return `${result.name.padEnd(nameWidth)} ${result.verdict.padEnd(8)}${tests} ${seconds(result)}`;
  });
  const head = `${'step'.padEnd(nameWidth)} ${'result'.padEnd(8)} passed failed   skip seconds`;
  const { passed, failed, skipped } = addCounts(results.map((result) => result.counts));
  const last = `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;
  return ['', head, ...rows, '', last].join('\n');
}

const seconds = (result: StepResult): string => (result.durationMs / 1_000).toFixed(1).padStart(7);
