/** ① and ② on a real runtime: what goes through, what comes back, what happens when parts are away. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { contextHeader, signatureHeader } from '@local-plus/contracts';
import { type Believed, problemReply } from './origin.ts';
import type { Runtime } from './runtimes.ts';
import { authorized, earn, earnPath, grant, merchantId, told, walletId } from './stage.ts';
import { eventually, type Stand, startStand } from './stand.ts';

const balance = `/v1/wallets/${walletId}/balance`;
export function trafficSuite(runtime: Runtime): void {
  describe(`traffic on ${runtime}`, () => {
    let stand: Stand;
    before(async () => {
      stand = await startStand({ runtime });
    });
    after(() => stand.stop());

    describe(`an earn on ${runtime}`, () => {
      it('reaches the origin signed, as it came, and its answer comes back', async () => {
        stand.origin.reply = () => ({
          status: 201,
          body: '{"a":1}',
          headers: { 'idempotent-replayed': 'true', 'x-internal': 'y' },
        });
        const answer = await stand.ask(
          earnPath,
          earn(' {"amount":5,"reference":"é"}', { cookie: 'a=b', 'x-request-id': merchantId }),
        );
        assert.deepEqual([answer.status, await answer.text()], [201, '{"a":1}']);
        assert.equal(answer.headers.get('idempotent-replayed'), 'true');
        assert.equal(answer.headers.get('x-internal'), null);
        assert.equal(answer.headers.get('x-request-id'), merchantId);
        const asked = stand.origin.believed.at(-1);
        assert.deepEqual(
          [asked?.method, asked?.target, asked?.body],
          ['POST', earnPath, ' {"amount":5,"reference":"é"}'],
        );
        assert.deepEqual(
          [asked?.context.merchantId, asked?.context.subject, asked?.context.clientIp],
          [merchantId, grant.api_key_id, '127.0.0.1'],
        );
        assert.equal(asked?.headers['cookie'], undefined);
        assert.equal(asked?.headers['authorization'], undefined);
      });

      it('cannot be sent past the edge: unsigned, tampered with or replayed it is refused', async () => {
        await stand.ask(earnPath, earn());
        const { headers, target } = stand.origin.believed.at(-1) as Believed;
        const send = async (change: {
          target?: string;
          method?: string;
          body?: string;
          headers?: Record<string, string>;
        }) => {
          const { connection: _c, 'content-length': _l, 'transfer-encoding': _t, host: _h, ...own } = headers;
          const init = { method: change.method ?? 'POST', headers: { ...own, ...change.headers } };
          const body = change.body ?? '{"amount":5}';
          const answer = await fetch(
            stand.origin.url + (change.target ?? target),
            init.method === 'GET' ? init : { ...init, body },
          );
          return answer.status;
        };
        const context = headers[contextHeader] ?? '';
        const tampered = [
          {},
          { target: `${target}?a=1` },
          { target: target.replace('earn', 'burn') },
          { method: 'GET' },
          { body: '{"amount":6}' },
          { headers: { 'idempotency-key': 'other' } },
          { headers: { [contextHeader]: context.replace(merchantId, walletId) } },
          { headers: { [contextHeader]: context.replace('wallets:read', 'admin') } },
          { headers: { [signatureHeader]: '' } },
          { headers: { [signatureHeader]: 'A'.repeat(43) } },
        ];
        const before = stand.origin.believed.length;
        for (const change of tampered) assert.equal(await send(change), 401, JSON.stringify(change));
        assert.equal(stand.origin.believed.length, before);
        assert.ok(stand.origin.disbelieved.includes('replayed') && stand.origin.disbelieved.includes('forged'));
      });

      it('is refused by core as core says', async () => {
        stand.origin.reply = () => problemReply(409, 'insufficient_funds');
        const answer = await stand.ask(earnPath, earn());
        assert.equal(answer.headers.get('content-type'), 'application/problem+json');
        assert.equal(await told(answer), '409 insufficient_funds');
      });

      it('whose client leaves is not sent again, and breaks nothing', async () => {
        const before = stand.origin.believed.length;
        const { promise: held, resolve: release } = Promise.withResolvers<void>();
        stand.origin.reply = async () => {
          await held;
          return { status: 201, body: '{}' };
        };
        const leaving = new AbortController();
        const asked = stand.ask(earnPath, { ...earn(), signal: leaving.signal });
        await eventually('the origin is asked', async () => stand.origin.believed.length > before);
        leaving.abort();
        await assert.rejects(asked);
        release();
        stand.origin.reply = () => ({ status: 201, body: '{}' });
        assert.equal((await stand.ask(earnPath, earn())).status, 201);
        assert.equal(stand.origin.believed.length, before + 2);
      });
    });

    describe(`a key on ${runtime}`, () => {
      const secret = 'lp_live_ffffffffffffffffffffffffffffffff';
      const headers = { authorization: `Bearer ${secret}` };

      it('is looked up once for all who come at once, and its address pays nothing', async () => {
        stand.addKey(secret, { ...grant, api_key_id: 'other' });
        stand.origin.reply = () => ({ status: 200, body: '{}' });
        const before = stand.origin.lookUps.length;
        const from = { ...headers, 'cf-connecting-ip': '192.0.2.50' };
        const answers = await Promise.all(Array.from({ length: 200 }, () => stand.ask(balance, { headers: from })));
        assert.ok(answers.every(({ status }) => status === 200));
        assert.equal(stand.origin.lookUps.length, before + 1);
        const anonymous: string[] = [];
        for (let count = 0; count < 101; count++) {
          anonymous.push(await told(await stand.ask(balance, { headers: { 'cf-connecting-ip': '192.0.2.50' } })));
        }
        assert.deepEqual(new Set(anonymous.slice(0, 100)), new Set(['401 unauthenticated']));
        assert.equal(anonymous[100], '429 rate_limited');
      });

      it('is refused within seconds of its revocation', async () => {
        assert.equal((await stand.ask(balance, { headers })).status, 200);
        stand.removeKey(secret);
        await eventually(
          '401',
          async () => (await told(await stand.ask(balance, { headers }))) === '401 unauthenticated',
        );
      });
    });

    describe(`the catalog on ${runtime}`, () => {
      it('is asked for once, and served to all', async () => {
        stand.origin.reply = () => ({ status: 200, body: '{"data":[],"next_cursor":null}' });
        const before = stand.origin.believed.length;
        const answers = await Promise.all(
          Array.from({ length: 50 }, () => stand.ask('/v1/catalog', { headers: authorized })),
        );
        assert.ok(answers.every(({ status }) => status === 200));
        assert.equal(stand.origin.believed.length, before + 1);
        const hit = await stand.ask('/v1/catalog', { headers: authorized });
        assert.match(hit.headers.get('cache-status') ?? '', /^local-plus-edge; hit; ttl=\d+$/);
        const again = await stand.ask('/v1/catalog', {
          headers: { ...authorized, 'if-none-match': hit.headers.get('etag') ?? '' },
        });
        assert.deepEqual([again.status, await again.text()], [304, '']);
      });

      it('is searched once for what means the same, whatever the order, the case and the spaces', async () => {
        stand.origin.reply = () => ({ status: 200, body: '{"data":[],"next_cursor":null}' });
        const before = stand.origin.believed.length;
        for (const query of [
          'q=Big++Sh%C3%B6es&kind=gift_card&brand=B%26B&min=100',
          'min=0100&brand=B%26B&kind=gift_card&limit=25&q=big%20sh%C3%B6es+',
        ]) {
          assert.equal((await stand.ask(`/v1/catalog?${query}`, { headers: authorized })).status, 200);
        }
        const asked = stand.origin.believed.slice(before).map(({ target }) => target);
        assert.deepEqual(asked, ['/v1/catalog?brand=B%26B&kind=gift_card&limit=25&min=100&q=big+sh%C3%B6es']);
        for (const query of ['sort=name', 'country=de', 'q=%20', 'min=1&min=2', 'kind=wallet']) {
          const refused = await stand.ask(`/v1/catalog?${query}`, { headers: authorized });
          assert.equal(await told(refused), '400 invalid_request', query);
        }
        assert.equal(stand.origin.believed.length, before + 1);
      });
    });

    describe('without an origin, workerd', () => {
      it('answers 503 with Retry-After, serves the catalog it has, and recovers by itself', async () => {
        stand.origin.reply = () => ({ status: 200, body: '{"data":[],"next_cursor":null}' });
        assert.equal((await stand.ask('/v1/catalog', { headers: authorized })).status, 200);
        assert.equal((await stand.ask('/readyz')).status, 200);
        await stand.origin.goAway();
        const answer = await stand.ask(earnPath, earn());
        assert.equal(answer.headers.get('retry-after'), '1');
        assert.equal(await told(answer), '503 unavailable');
        assert.equal((await stand.ask('/v1/catalog', { headers: authorized })).status, 200);
        assert.equal((await stand.ask('/healthz')).status, 200);
        await eventually('not ready', async () => (await told(await stand.ask('/readyz'))) === '503 unavailable');
        await stand.origin.comeBack();
        await eventually('an earn', async () => (await stand.ask(earnPath, earn())).status === 200);
        await eventually('ready', async () => (await stand.ask('/readyz')).status === 200);
      });
    });

    describe('one that is not configured', () => {
      it(runtime === 'node' ? 'does not start' : 'answers every request with a problem', async () => {
        const bindings = { SIGNING_KEYS: 'k1:short' };
        if (runtime === 'node')
          return assert.rejects(startStand({ runtime, bindings }), /not configured: SIGNING_KEYS/);
        const broken = await startStand({ runtime, bindings });
        try {
          assert.equal(await told(await broken.ask(balance, { headers: authorized })), '500 internal');
        } finally {
          await broken.stop();
        }
      });
    });
  });
}
