/** Where the examples stand that OpenAPI shows. */
import { fileURLToPath } from 'node:url';
import type { Examples } from './example.ts';

export const examplesFile = fileURLToPath(import.meta.resolve('@local-plus/contracts/examples.json'));

export function textOf(examples: Examples): string {
  return `${JSON.stringify(examples, null, 2)}\n`;
}
