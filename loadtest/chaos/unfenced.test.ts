/** The deliberate break does what it says, to a process that loads it, and to the fence only. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Batch, RefusedRow } from '@local-plus/actors';
import { commitOf } from '../../core/ledger/statements.ts';

const urlOf = (path: string): string => pathToFileURL(`${import.meta.dirname}/${path}`).href;

const plain: Batch = { writerId: 1, epoch: 1, batch: 1, posted: [], refused: [], isOptimistic: false };
const refused = { facts: { accountId: 'a', idempotencyKey: 'k' } } as unknown as RefusedRow;
const optimistic: Batch = { ...plain, refused: [refused], isOptimistic: true };

describe('the break of the fence', () => {
  it('takes the comparison of the epoch out of every statement, and nothing else', () => {
    const batches = [plain, optimistic];
    const program = `const { commitOf } = await import(${JSON.stringify(urlOf('../../core/ledger/statements.ts'))});
      process.stdout.write(JSON.stringify(${JSON.stringify(batches)}.map((batch) => commitOf(batch).statement)));`;
    const flags = ['--import', urlOf('unfenced.ts'), '--input-type=module', '--eval', program];
    const broken = JSON.parse(execFileSync(process.execPath, flags, { encoding: 'utf8' })) as string[];
    const fence = 'epoch = $2::bigint and batch';
    for (const [index, batch] of batches.entries()) {
      const whole = commitOf(batch).statement;
      assert.ok(whole.includes(fence), 'core compares the epoch');
      assert.equal(broken[index], whole.replaceAll(fence, '$2::bigint is not null and batch'));
    }
  });
});
