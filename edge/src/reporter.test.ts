import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { edgeLimits } from './limits.ts';
import { createReporter } from './reporter.ts';

describe('the reporter', () => {
  it('logs a kind of trouble once in a while, with how often it happened', () => {
    const lines: string[] = [];
    let nowMs = 0;
    const report = createReporter(
      (line) => lines.push(line),
      () => nowMs,
    );
    for (let count = 0; count < 100; count++) report('origin_away', new TypeError('refused'));
    report('bug', new Error('x'));
    assert.equal(lines.length, 2);
    nowMs = edgeLimits.reportEveryMs;
    report('origin_away', 'not an error');
    assert.deepEqual(
      lines.map((line) => JSON.parse(line) as unknown),
      [
        { level: 'error', part: 'edge', trouble: 'origin_away', count: 1, cause: 'TypeError: refused' },
        { level: 'error', part: 'edge', trouble: 'bug', count: 1, cause: 'Error: x' },
        { level: 'error', part: 'edge', trouble: 'origin_away', count: 100, cause: 'string' },
      ],
    );
  });
});
