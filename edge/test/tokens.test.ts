/**
 * Customers' tokens on the real runtimes: an issuer that is a server of its own, its keys rotated while the edge runs,
 * and a revocation that reaches it in seconds.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { bearer, goodClaims, identity, newPair, type SigningPair, tokenOf } from './issuer.ts';
import { runtimes } from './runtimes.ts';
import { earn, earnPath, merchantId, told, walletId } from './stage.ts';
import { eventually, type Stand, startStand } from './stand.ts';

const balance = `/v1/wallets/${walletId}/balance`;

for (const runtime of runtimes) {
  describe(`a token on ${runtime}`, () => {
    let stand: Stand;
    let issuer: Server;
    let pairs: readonly SigningPair[];
    let jwks: object[] = [];
    let asked = 0;

    before(async () => {
      pairs = await Promise.all([newPair('RS256', 'r'), newPair('ES256', 'e'), newPair('EdDSA', 'd')]);
      jwks = pairs.map(({ jwk }) => jwk);
      issuer = createServer((_request, response) => {
        asked++;
        response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: jwks }));
      });
      issuer.listen(0, '127.0.0.1');
      await once(issuer, 'listening');
      const { port } = issuer.address() as AddressInfo;
      stand = await startStand({
        runtime,
        bindings: {
          JWT_ISSUER: identity.issuer,
          JWT_AUDIENCE: identity.audience,
          JWT_JWKS_URL: `http://127.0.0.1:${port}/jwks`,
        },
      });
      stand.origin.reply = () => ({ status: 200, body: '{}' });
    });
    after(async () => {
      await stand.stop();
      issuer.close();
      issuer.closeAllConnections();
    });

    const claims = (change: object = {}) => ({ ...goodClaims(Date.now()), ...change });
    const ask = async (token: string) => told(await stand.ask(balance, { headers: bearer(token) }));

    it('of each algorithm passes, and reaches core as its customer', async () => {
      for (const pair of pairs) {
        assert.equal(await ask(await tokenOf(pair, claims({ sub: `by-${pair.kid}` }))), '200', pair.algorithm);
        const context = stand.origin.believed.at(-1)?.context;
        assert.deepEqual([context?.subject, context?.merchantId], [`by-${pair.kid}`, merchantId]);
        assert.deepEqual(context?.scopes, ['wallets:read', 'transactions:write']);
      }
      assert.equal(asked, 1);
      const answer = await stand.ask(
        earnPath,
        earn('{"amount":5}', bearer(await tokenOf(pairs[1] as SigningPair, claims()))),
      );
      assert.equal(await told(answer), '200');
      assert.equal(stand.origin.believed.at(-1)?.headers['authorization'], undefined);
      assert.deepEqual(stand.origin.disbelieved, []);
    });

    it('that is forged, stale or not for us does not', async () => {
      const [pair] = pairs as [SigningPair];
      const before = stand.origin.believed.length;
      const good = await tokenOf(pair, claims());
      const forged = [
        await tokenOf(await newPair('RS256', 'r'), claims()),
        await tokenOf(pair, claims({ exp: Math.floor(Date.now() / 1_000) - 1 })),
        await tokenOf(pair, claims({ aud: 'other' })),
        await tokenOf(pair, claims(), { alg: 'none' }),
        await tokenOf(pair, claims(), { alg: 'HS256' }),
        await tokenOf(pair, claims(), { kid: '../../x' }),
        `${good.split('.').slice(0, 2).join('.')}.`,
      ];
      for (const token of forged) {
        const answer = await stand.ask(balance, { headers: bearer(token) });
        assert.equal(answer.headers.get('www-authenticate'), 'Bearer realm="local-plus", error="invalid_token"');
        assert.equal(await told(answer), '401 unauthenticated');
      }
      assert.equal(stand.origin.believed.length, before);
    });

    it('brought two hundred times at once is verified for all', async () => {
      const token = await tokenOf(pairs[0] as SigningPair, claims({ sub: 'crowd' }));
      const answers = await Promise.all(Array.from({ length: 200 }, () => ask(token)));
      assert.deepEqual([...new Set(answers)], ['200']);
    });

    it('of a member does what its role allows, and no more once the member is removed', async () => {
      const pair = pairs[0] as SigningPair;
      const token = await tokenOf(pair, claims({ sub: 'till-7', scope: 'member' }));
      assert.equal(await ask(token), '403 forbidden', 'nobody says yet that it is one');
      const name = `${merchantId} till-7`;
      stand.origin.members.set(name, { role: 'cashier', scopes: ['wallets:read', 'members:read'] });
      await eventually('it is one', async () => (await ask(token)) === '200');
      assert.deepEqual(stand.origin.believed.at(-1)?.context.scopes, ['wallets:read', 'members:read']);
      stand.origin.members.delete(name);
      await eventually('it is none any more', async () => (await ask(token)) === '403 forbidden');
    });

    it('is refused within seconds when its merchant is suspended, and passes again when it goes on', async () => {
      const token = await tokenOf(pairs[1] as SigningPair, claims({ sub: 'customer-9' }));
      assert.equal(await ask(token), '200');
      stand.origin.tenants.set(merchantId, { status: 'suspended' });
      await eventually('403', async () => (await ask(token)) === '403 merchant_inactive');
      stand.origin.tenants.set(merchantId, { status: 'active' });
      await eventually('200', async () => (await ask(token)) === '200');
      stand.origin.tenants.delete(merchantId);
    });

    it('that is revoked is refused within seconds', async () => {
      const token = await tokenOf(pairs[1] as SigningPair, claims({ sub: 'lost', jti: 'lost-1' }));
      assert.equal(await ask(token), '200');
      const expires_at_ms = Date.now() + 60_000;
      stand.origin.revoked.push({ kind: 'token', value: 'lost-1', merchant_id: null, expires_at_ms });
      await eventually('401', async () => (await ask(token)) === '401 unauthenticated');
      const another = await tokenOf(pairs[1] as SigningPair, claims({ sub: 'lost', jti: 'lost-2' }));
      assert.equal(await ask(another), '200');
    });
  });
}
