import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProgress } from './progress.ts';

const withoutTimes = (text: string): string => text.replaceAll(/\d+\.\d s/g, '0 s').replaceAll(/ +/g, ' ');

test('in a pipe every change is one line, and nothing moves the cursor', () => {
  let output = '';
  const progress = createProgress({ write: (text) => (output += text) });
  const task = progress.task('Kafka');
  task.note('fetching');
  progress.line('a line');
  task.done('there');
  task.done('twice');
  progress.close();
  assert.equal(withoutTimes(output), ' Kafka 0 s fetching\na line\n✓ Kafka 0 s there\n');
});

test('on a terminal what runs is redrawn below what is said', () => {
  let output = '';
  const progress = createProgress({ write: (text) => (output += text), isTTY: true, columns: 40 });
  const task = progress.task('Postgres');
  progress.line('first');
  task.note('x'.repeat(200));
  progress.line('second');
  task.failed('gone');
  progress.close();
  const longest = Math.max(...output.split('\n').map((line) => line.length));
  assert.ok(longest <= 48, `a line is cut to the terminal's width, and was ${longest}`);
  assert.ok(output.includes('\u001b[1A\u001b[Jsecond'));
  assert.match(output, /✗ Postgres .* gone\n$/);
});
