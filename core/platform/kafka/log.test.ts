import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import kafkajs from 'kafkajs';
import { kafkaLimits } from './limits.ts';
import { kafkaLog } from './log.ts';

function recorder() {
  const lines: { event: string; fields: Readonly<Record<string, unknown>> | undefined }[] = [];
  const record = (event: string, fields?: Readonly<Record<string, unknown>>) => void lines.push({ event, fields });
  const unexpected = () => assert.fail('the client only warns');
  let nowMs = 0;
  const write = kafkaLog({ info: unexpected, warn: record, error: unexpected }, () => nowMs)(kafkajs.logLevel.WARN);
  return {
    lines,
    say: (message: string, extra: object = {}) =>
      write({
        namespace: 'Connection',
        level: kafkajs.logLevel.ERROR,
        label: 'ERROR',
        log: { timestamp: '2026-01-01T00:00:00.000Z', message, ...extra },
      }),
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

describe('the log of the Kafka client', () => {
  it('is ours, without stacks', () => {
    const { lines, say } = recorder();
    say('Connection error', { broker: 'b:1', stack: 'at …', retryCount: 3 });
    assert.deepEqual(lines, [
      { event: 'the Kafka client says', fields: { said: 'Connection: Connection error', broker: 'b:1' } },
    ]);
  });

  it('says the same once, and later how often it was repeated', () => {
    const { lines, say, pass } = recorder();
    for (let attempt = 0; attempt < 5; attempt++) say('away');
    say('something else');
    assert.equal(lines.length, 2);
    pass(kafkaLimits.logRepeatMs);
    say('away');
    assert.equal(lines[2]?.fields?.['repeated'], 4);
  });

  it('forgets rather than grows', () => {
    const { lines, say } = recorder();
    for (let line = 0; line < 3 * kafkaLimits.logLinesMax; line++) say(`line ${line}`);
    assert.equal(lines.length, 3 * kafkaLimits.logLinesMax);
    say('line 0');
    assert.equal(lines.length, 3 * kafkaLimits.logLinesMax + 1);
  });
});
