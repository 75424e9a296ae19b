/** What is optional, configured on a real runtime: browsers, security.txt, and on Deno and Node counters and logs. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { freePorts } from '@local-plus/deploy';
import type { Runtime } from './runtimes.ts';
import { earn, earnPath, grant, key, merchantId, told } from './stage.ts';
import { eventually, type Stand, startStand } from './stand.ts';

const shop = 'https://shop.example';

export function surfaceSuite(runtime: Runtime): void {
  describe(`the surface on ${runtime}`, () => {
    let stand: Stand;
    let metricsUrl: string;
    before(async () => {
      const [port] = (await freePorts(1)) as [number];
      metricsUrl = `http://127.0.0.1:${port}/metrics`;
      const bindings = {
        CORS_ORIGINS: shop,
        CORS_MERCHANTS: 'on',
        BOT_SCORE_MIN: '30',
        SECURITY_CONTACT: 'mailto:security@local-plus.example',
        LOG_SAMPLE_RATE: '1',
        METRICS_PORT: String(port),
      };
      stand = await startStand({ runtime, bindings });
    });
    after(() => stand.stop());

    it('lets a listed origin preflight, and read', async () => {
      // By hand: fetch does not let a script set these.
      const head = `Host: a\r\nOrigin: ${shop}\r\nAccess-Control-Request-Method: POST\r\n`;
      const preflight = await stand.askRaw(`OPTIONS ${earnPath} HTTP/1.1\r\n${head}\r\n`);
      assert.match(preflight, /^HTTP\/1\.1 204 /);
      assert.match(preflight, /access-control-allow-origin: https:\/\/shop\.example\r\n/i);
      const answer = await stand.ask(earnPath, earn('{"amount":5}', { origin: shop }));
      assert.deepEqual([answer.status, answer.headers.get('access-control-allow-origin')], [201, shop]);
    });

    it('lets a merchant’s origin preflight, and read what its own callers are answered', async () => {
      const [mine, theirs] = ['https://mine.example', 'https://theirs.example'];
      const tenant = { plan: null, allowed_origins: [mine] };
      const secret = `lp_live_${'c'.repeat(32)}`;
      stand.origin.tenants.set(merchantId, tenant);
      stand.origin.tenants.set('another', { plan: null, allowed_origins: [theirs] });
      stand.addKey(secret, { ...grant, api_key_id: 'cors', tenant });
      const preflight = (origin: string) =>
        stand.askRaw(
          `OPTIONS ${earnPath} HTTP/1.1\r\nHost: a\r\nOrigin: ${origin}\r\nAccess-Control-Request-Method: POST\r\n\r\n`,
        );
      assert.match(
        await preflight(mine),
        /^HTTP\/1\.1 204 [\s\S]*access-control-allow-origin: https:\/\/mine\.example\r\n/i,
      );
      assert.match(await preflight(theirs), /^HTTP\/1\.1 204 /);
      assert.match(await preflight('https://evil.example'), /^HTTP\/1\.1 403 /);
      for (const [origin, expected] of [
        [mine, mine],
        [theirs, null],
      ] as const) {
        const answer = await stand.ask(earnPath, earn('{"amount":5}', { origin, authorization: `Bearer ${secret}` }));
        assert.deepEqual([answer.status, answer.headers.get('access-control-allow-origin')], [201, expected]);
        assert.equal(answer.headers.get('access-control-allow-credentials'), null);
      }
      assert.deepEqual(stand.origin.originsAsked, [mine, theirs, 'https://evil.example']);
    });

    it('says whom to tell of a vulnerability', async () => {
      const answer = await stand.ask('/.well-known/security.txt');
      assert.match(await answer.text(), /^Contact: mailto:security@local-plus\.example\nExpires: /);
    });

    it('says which versions there are, and refuses in problem documents', async () => {
      const answer = await stand.ask('/v9/wallets');
      assert.match(((await answer.json()) as { detail: string }).detail, /\/v1\.$/);
      const wrong = await stand.ask(earnPath, { method: 'DELETE' });
      assert.equal(wrong.headers.get('allow'), 'POST');
      assert.equal(await told(wrong), '405 method_not_allowed');
    });

    if (runtime !== 'workerd') {
      it('counts, and tells it on the loopback interface', async () => {
        const text = await (await fetch(metricsUrl)).text();
        assert.match(text, /edge_requests_total\{route="[^"]*earn",method="POST",status="201",[^}]*\} \d+\n/);
        assert.equal((await fetch(metricsUrl.replace('/metrics', '/'))).status, 404);
        assert.equal(await told(await stand.ask('/metrics')), '404 not_found');
      });

      it('logs a line per request, without address, path, or key', async () => {
        await stand.ask(earnPath, earn('{"amount":5}', { 'x-request-id': merchantId }));
        await eventually('the line', async () => stand.edge.logged().includes(`"request_id":"${merchantId}"`));
        const lines = stand.edge.logged().split('\n');
        const line = lines.find((each) => each.includes(`"request_id":"${merchantId}"`)) ?? '';
        const { status, key_id: keyId, network } = JSON.parse(line) as Record<string, unknown>;
        assert.deepEqual([status, keyId, network], [201, grant.api_key_id, '127.0.0.0/24']);
        for (const secret of ['"127.0.0.1"', key, earnPath]) assert.ok(!line.includes(secret), secret);
      });
    }
  });
}
