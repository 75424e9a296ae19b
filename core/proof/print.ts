/** An audit as its reader at the terminal sees it. */
import { findingText, rules } from './findings.ts';
import type { Audit } from './verify.ts';

/** One line each, in order. */
export function auditLines({ results, first, rows, newest, notes }: Audit, seconds: number): string[] {
  const body = results.map(({ rule, looked, violations, first: finding }) => [
    rules[rule],
    grouped(looked),
    grouped(violations),
    finding === null ? 'ok' : findingText(finding),
  ]);
  const lines = [...table(['rule', 'looked at', 'violations', 'result'], body), ''];
  lines.push(
    `${grouped(rows)} transactions in ${seconds.toFixed(1)} s, ${grouped(Math.round(rows / seconds))} a second.`,
  );
  lines.push(...notes);
  if (first !== null) {
    lines.push(
      `The ledger is not what it claims to be. The first wrong row: ${findingText(first)} (${rules[first.rule]}).`,
    );
    return lines;
  }
  for (const { databaseId, day, root } of newest) {
    const where = newest.length === 1 ? '' : ` of database ${databaseId}`;
    if (root !== '') {
      lines.push(`The root of ${day}${where} is ${root}: kept elsewhere, it vouches for everything up to that day.`);
    }
  }
  lines.push('Every row is what it claims to be.');
  return lines;
}

function table(head: readonly string[], body: readonly (readonly string[])[]): string[] {
  const all = [head, ...body];
  const widths = head.map((_, column) => Math.max(...all.map((line) => (line[column] ?? '').length)));
  const isNumber = (column: number): boolean => column === 1 || column === 2;
  const render = (line: readonly string[]): string =>
    line
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        if (column === head.length - 1) return cell;
        return isNumber(column) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ');
  const lastWidth = (head.at(-1) ?? '').length;
  const rule = widths.map((width, column) => '─'.repeat(column === head.length - 1 ? lastWidth : width)).join('  ');
  return [render(head), rule, ...body.map(render)];
}

function grouped(value: number): string {
  return value.toLocaleString('en-US');
}
