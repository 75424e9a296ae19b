/** The log keeps secrets and the words of rows to itself; metrics are read when asked for. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLog, createMetrics } from './index.ts';

function logged(write: (log: ReturnType<typeof createLog>) => void): string {
  const lines: string[] = [];
  write(createLog('info', { write: (line: string) => lines.push(line) }));
  return lines.join('');
}

describe('the log', () => {
  it('is one line of JSON per event', () => {
    const line = JSON.parse(logged((log) => log.with({ part: 'x' }).info('began', { count: 2 })));
    assert.deepEqual([line.event, line.level, line.part, line.count], ['began', 'info', 'x', 2]);
    assert.equal(
      logged((log) => log.debug('not at this level')),
      '',
    );
  });

  it('removes what is secret by its name', () => {
    const text = logged((log) =>
      log.warn('x', { token: 'canary', request: { authorization: 'canary', email: 'canary' } }),
    );
    assert.doesNotMatch(text, /canary/);
  });

  it('describes errors with their causes, without the values that a database quotes', () => {
    const refusal = Object.assign(new Error('invalid input syntax for type uuid: "canary"'), {
      severity: 'ERROR',
      code: '22P02',
      detail: 'Key (external_id)=(canary) exists',
      table_name: 'wallets',
    });
    const text = logged((log) => log.error('failed', { error: new Error('outer', { cause: refusal }) }));
    assert.doesNotMatch(text, /canary/);
    const { error } = JSON.parse(text);
    assert.deepEqual([error.message, error.cause.code], ['outer', '22P02']);
    assert.match(error.cause.message, /22P02 wallets/);
    assert.match(error.stack, /telemetry\.test\.ts/);
  });

  it('keeps the words of a server in trouble', () => {
    const trouble = Object.assign(new Error('the database system is starting up'), {
      severity: 'FATAL',
      code: '57P03',
    });
    assert.match(
      logged((log) => log.error('x', { error: trouble })),
      /starting up/,
    );
  });
});

describe('the metrics', () => {
  it('are read at the scrape, in the form of Prometheus', async () => {
    const metrics = createMetrics();
    let value = 1;
    metrics.counter('things_total', 'Things.', () => [{ labels: { kind: 'a' }, value }]);
    metrics.gauge('depth', 'Depth.', () => [{ value: 7 }]);
    metrics.histogram('time_seconds', 'Time.', () => [{ bounds: [0.1, 1], counts: [2, 0, 1], sum: 3.5 }]);
    value = 5;
    const text = await metrics.render();
    const expected = [
      '# TYPE things_total counter',
      'things_total{kind="a"} 5',
      'depth 7',
      '# TYPE time_seconds histogram',
      'time_seconds_bucket{le="0.1"} 2',
      'time_seconds_bucket{le="1"} 2',
      'time_seconds_bucket{le="+Inf"} 3',
      'time_seconds_sum 3.5',
      'time_seconds_count 3',
    ];
    for (const line of expected) assert.ok(text.includes(`${line}\n`), line);
    assert.match(text, /nodejs_eventloop_lag_seconds/);
  });
});
