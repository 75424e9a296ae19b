import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createStage, earn, earnPath, grant, jsonResponse, key, merchantId, startMs } from '../../test/stage.ts';
import { edgeLimits } from '../limits.ts';
import { createAnalytics, createRequestLog, listeners, Metrics, type RequestRecord } from './index.ts';
import { networkOf } from './record.ts';

const record: RequestRecord = {
  route: 'wallets.earn',
  method: 'POST',
  status: 201,
  code: null,
  durationMs: 7,
  cache: 'none',
  limiter: 'key_allowed',
  tenantId: merchantId,
  keyId: grant.api_key_id,
  requestId: merchantId,
  traceId: '0af7651916cd43dd8448eb211c80319c',
  network: '192.0.2.0/24',
  country: null,
  colo: null,
};

async function recordsOf(ask: (stage: Awaited<ReturnType<typeof createStage>>) => Promise<unknown>) {
  const records: RequestRecord[] = [];
  const stage = await createStage({ telemetry: (told) => records.push(told) });
  await ask(stage);
  return records;
}

describe('the record of a request', () => {
  it('says what became of an earn, without path, address or key', async () => {
    const traceparent = `00-${record.traceId}-b7ad6b7169203331-01`;
    const records = await recordsOf(async (stage) => {
      stage.answer(() => {
        stage.passMs(7);
        return jsonResponse(201, {});
      });
      await stage.ask(earnPath, earn('{"amount":5}', { traceparent, 'x-request-id': merchantId }));
    });
    const [told] = records;
    assert.match(told?.route ?? '', /earn/);
    assert.deepEqual({ ...told, route: record.route }, record);
    const text = JSON.stringify(records);
    for (const secret of ['192.0.2.1"', key, earnPath]) assert.ok(!text.includes(secret), secret);
  });

  it('says who was refused why, and of which policy', async () => {
    const records = await recordsOf(async (stage) => {
      await stage.ask(earnPath, earn('{"amount":5}', { authorization: '' }));
      await stage.ask('/nothing');
      await stage.ask('/v1/%61');
      for (let count = 0; count < 101; count++) await stage.ask('/openapi.json', { clientAddress: '2001:db8::1' });
      await stage.ask(earnPath, { method: 'PROPFIND' });
    });
    const brief = records.map(({ route, status, code, limiter }) => `${route} ${status} ${code} ${limiter}`);
    assert.match(brief[0] ?? '', /earn 401 unauthenticated address_allowed$/);
    assert.equal(brief[1], 'none 404 not_found uncounted');
    assert.equal(brief[2], 'none 400 invalid_path uncounted');
    assert.equal(brief[3], '/openapi.json 200 null address_allowed');
    assert.equal(brief[103], '/openapi.json 429 rate_limited address_refused');
    assert.equal(records[103]?.network, '2001:db8:0::/48');
    assert.equal(records[104]?.method, 'other');
  });

  it('says whether the cache had it', async () => {
    const records = await recordsOf(async (stage) => {
      stage.answer(() => jsonResponse(200, {}));
      for (let count = 0; count < 2; count++) await stage.ask('/v1/catalog');
    });
    assert.deepEqual(
      records.map(({ cache }) => cache),
      ['miss', 'hit'],
    );
  });

  it('knows networks, not addresses', () => {
    assert.equal(networkOf('203.0.113.77'), '203.0.113.0/24');
    assert.equal(networkOf('2001:db8:a:b:c:d:e:f'), '2001:db8:a::/48');
    assert.equal(networkOf('-'), null);
  });
});

describe('the log of requests', () => {
  function logOf(sampleRate: number, records: readonly RequestRecord[], random = () => 0.5) {
    const lines: Record<string, unknown>[] = [];
    let steadyMs = startMs;
    const log = (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>);
    const telemetry = createRequestLog({ log, sampleRate, steadyMs: () => steadyMs, random });
    for (const each of records) telemetry(each);
    steadyMs += 1_000;
    return { lines, telemetry };
  }

  it('is one line of JSON each', () => {
    const { lines } = logOf(1, [record]);
    assert.deepEqual(lines, [
      {
        level: 'info',
        part: 'edge',
        event: 'request',
        route: 'wallets.earn',
        method: 'POST',
        status: 201,
        duration_ms: 7,
        cache: 'none',
        limiter: 'key_allowed',
        tenant_id: merchantId,
        key_id: grant.api_key_id,
        request_id: merchantId,
        trace_id: record.traceId,
        network: '192.0.2.0/24',
      },
    ]);
  });

  it('is sampled, but for faults of ours', () => {
    assert.equal(logOf(0.5, [record]).lines.length, 0);
    assert.equal(logOf(0.51, [record]).lines.length, 1);
    assert.equal(logOf(0.1, [{ ...record, status: 502 }]).lines.length, 1);
    assert.equal(logOf(0, [{ ...record, status: 502 }], () => 0).lines.length, 0);
  });

  it('is bounded, and says what it left out', () => {
    const flood = Array.from({ length: edgeLimits.logLinesPerSecondMax + 5 }, () => record);
    const { lines, telemetry } = logOf(1, flood);
    assert.equal(lines.length, edgeLimits.logLinesPerSecondMax);
    telemetry(record);
    assert.equal(lines.at(-1)?.['dropped'], 5);
  });
});

describe('the counters', () => {
  it('are Prometheus text, by route, status, cache and limiter', () => {
    const metrics = new Metrics();
    for (let count = 0; count < 3; count++) metrics.count(record);
    metrics.count({ ...record, status: 429, limiter: 'key_refused', durationMs: 60_000 });
    metrics.countTrouble('origin_away');
    const lines = metrics.write().split('\n');
    const labels = 'route="wallets.earn",method="POST",status="201",cache="none",limiter="key_allowed"';
    assert.ok(lines.includes(`edge_requests_total{${labels}} 3`));
    assert.ok(lines.includes('edge_request_duration_seconds_bucket{route="wallets.earn",le="0.005"} 0'));
    assert.ok(lines.includes('edge_request_duration_seconds_bucket{route="wallets.earn",le="0.01"} 3'));
    assert.ok(lines.includes('edge_request_duration_seconds_bucket{route="wallets.earn",le="30"} 3'));
    assert.ok(lines.includes('edge_request_duration_seconds_bucket{route="wallets.earn",le="+Inf"} 4'));
    assert.ok(lines.includes('edge_request_duration_seconds_count{route="wallets.earn"} 4'));
    assert.ok(lines.includes('edge_troubles_total{trouble="origin_away"} 1'));
  });

  it('are bounded', () => {
    const metrics = new Metrics();
    for (let at = 0; at < edgeLimits.metricSeriesMax + 10; at++) metrics.count({ ...record, route: `r${at}` });
    assert.match(metrics.write(), /edge_requests_total\{route="other"[^}]*\} 10\n/);
  });
});

describe('a data point', () => {
  it('has its columns in their order', () => {
    const points: unknown[] = [];
    createAnalytics({ writeDataPoint: (point) => points.push(point) })({ ...record, country: 'DE', colo: 'FRA' });
    const blobs = ['wallets.earn', 'POST', '201', null, 'none', 'key_allowed', 'DE', 'FRA'];
    assert.deepEqual(points, [{ indexes: [merchantId], blobs, doubles: [1, 7] }]);
  });
});

describe('listeners', () => {
  it('are told one and all; without any nothing is recorded', () => {
    const heard: string[] = [];
    listeners(
      null,
      () => heard.push('a'),
      () => heard.push('b'),
    )?.(record);
    assert.deepEqual(heard, ['a', 'b']);
    assert.equal(listeners(null, null), null);
  });
});
