/** Tables for the terminal and for Markdown: the first column is words, the others align right when they are numbers. */

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export function formatTable(table: Table): string {
  const lines = [table.columns, ...table.rows];
  const columns = table.columns.map((_, column) => ({
    width: Math.max(...lines.map((line) => (line[column] ?? '').length)),
    isNumeric: table.rows.every((row) => /^$|^-?\d|^–$/.test(row[column] ?? '')),
  }));
  const render = (line: readonly string[]): string =>
    columns
      .map(({ width, isNumeric }, column) => {
        const cell = line[column] ?? '';
        return isNumeric ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  const rule = columns.map(({ width }) => '─'.repeat(width)).join('  ');
  return ['', table.title, render(table.columns), rule, ...table.rows.map(render)].join('\n');
}

export function markdownTable(table: Table): string {
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [
    '',
    `### ${table.title}`,
    '',
    row(table.columns),
    row(table.columns.map(() => '---')),
    ...table.rows.map(row),
    '',
  ].join('\n');
}

/** Thousands separated, `digits` behind the point. */
export function formatNumber(value: number, digits = 0): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
