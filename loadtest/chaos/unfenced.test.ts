/** The deliberate break does what it says, to a process that loads it, and to the fence only. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { commitDeparturesStatement, commitStatement } from '../../core/ledger/statements.ts';

const urlOf = (path: string): string => pathToFileURL(`${import.meta.dirname}/${path}`).href;

describe('the break of the fence', () => {
  it('takes the comparison of the epoch out of both statements, and nothing else', () => {
    const program = `const s = await import(${JSON.stringify(urlOf('../../core/ledger/statements.ts'))});
      process.stdout.write(JSON.stringify([s.commitStatement, s.commitDeparturesStatement]));`;
    const flags = ['--import', urlOf('unfenced.ts'), '--input-type=module', '--eval', program];
    const broken = JSON.parse(execFileSync(process.execPath, flags, { encoding: 'utf8' })) as string[];
    const fence = 'epoch = $2::bigint and batch';
    for (const [index, whole] of [commitStatement, commitDeparturesStatement].entries()) {
      assert.ok(whole.includes(fence), 'core compares the epoch');
      assert.equal(broken[index], whole.replace(fence, '$2::bigint is not null and batch'));
    }
  });
});
