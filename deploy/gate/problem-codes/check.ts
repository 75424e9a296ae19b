/**
 * `node deploy/gate/problem-codes/check.ts DIR`: whether the tests that ran met every refusal of the error table, as `record.ts`
 * noted it in DIR.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { unmet } from './unmet.ts';

const [dir = ''] = process.argv.slice(2);
const files = readdirSync(dir);
const lines = files.flatMap((file) => readFileSync(join(dir, file), 'utf8').split('\n'));
const { codes, strange } = unmet(lines);
console.log(`${new Set(lines).size - 1} kinds of problems in ${files.length} test processes`);
for (const code of codes) console.error(`no test was answered with ${code}`);
for (const line of strange) console.error(`not as the error table has it: ${line}`);
if (codes.length + strange.length > 0) process.exitCode = 1;
