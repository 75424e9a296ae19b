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
    const refused = new TypeError('error sending request for url (https://core.test/v1/people/ada)', {
      cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
    });
    for (let count = 0; count < 100; count++) report('origin_away', refused);
    report('issuer_away', new TypeError('https://issuer.test/keys'));
    report('origin_late', new DOMException('https://core.test/', 'TimeoutError'));
    report('bug', new Error('x'));
    assert.equal(lines.length, 4);
    nowMs = edgeLimits.reportEveryMs;
    report('origin_away', 'not an error');
    assert.deepEqual(
      lines.map((line) => JSON.parse(line) as unknown),
      [
        { level: 'error', part: 'edge', trouble: 'origin_away', count: 1, cause: 'TypeError: ECONNREFUSED' },
        { level: 'error', part: 'edge', trouble: 'issuer_away', count: 1, cause: 'TypeError' },
        { level: 'error', part: 'edge', trouble: 'origin_late', count: 1, cause: 'TimeoutError' },
        { level: 'error', part: 'edge', trouble: 'bug', count: 1, cause: 'Error: x' },
        { level: 'error', part: 'edge', trouble: 'origin_away', count: 100, cause: 'string' },
      ],
    );
  });
});
