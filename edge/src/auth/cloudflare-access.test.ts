/** Access before the operator's routes: beside the operator's token, never instead of it; and nothing where it is off. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createTokenStage, newPair, type TokenStage, tokenOf } from '../../test/issuer.ts';
import { earn, grant, key, told, walletId } from '../../test/stage.ts';
import { keyDigest } from '../key-digests.ts';
import { parseIdentity } from './config.ts';

const team = 'team.cloudflareaccess.com';
const identity = parseIdentity({ ACCESS_TEAM_DOMAIN: team, ACCESS_AUD: 'application' }, false, []);
const pair = await newPair('RS256', 'access');
const claims = {
  iss: `https://${team}`,
  aud: ['application'],
  sub: '',
  email: 'a@example.com',
  merchant_id: undefined,
};
const assertion = (change: object = {}, header: object = {}) =>
  tokenOf(pair, { ...claims, ...change }, { typ: 'JWT', ...header });

async function onboard({ stage }: TokenStage, headers: Record<string, string>): Promise<string> {
  return told(await stage.ask('/v1/merchants', earn('{"name":"a"}', headers)));
}

describe('an operator’s route behind Access', () => {
  it('takes the operator’s token and an assertion, and asks the team for its keys', async () => {
    const issuer = await createTokenStage([pair], identity);
    issuer.keys.set(await keyDigest(key), { ...grant, merchant_id: null, scopes: ['admin'] });
    assert.equal(await onboard(issuer, { 'cf-access-jwt-assertion': await assertion() }), '201');
    assert.deepEqual(issuer.askedOutside, [`https://${team}/cdn-cgi/access/certs`]);
    assert.equal(issuer.asked[0]?.headers['cf-access-jwt-assertion'], undefined);
  });

  const refused: readonly (readonly [string, () => Promise<string> | string])[] = [
    ['no assertion', () => ''],
    ['an assertion for another application', () => assertion({ aud: ['other'] })],
    ['an assertion of another team', () => assertion({ iss: 'https://evil.cloudflareaccess.com' })],
    ['an expired assertion', () => assertion({ exp: 1 })],
    ['an assertion of another algorithm', () => assertion({}, { alg: 'none' })],
    ['an assertion without a type', () => assertion({}, { typ: undefined })],
    ['nonsense', () => 'x.y.z'],
  ];
  for (const [name, making] of refused) {
    it(`refuses ${name}, whoever brings it: 401`, async () => {
      const issuer = await createTokenStage([pair], identity);
      issuer.keys.set(await keyDigest(key), { ...grant, merchant_id: null, scopes: ['admin'] });
      assert.equal(await onboard(issuer, { 'cf-access-jwt-assertion': await making() }), '401 unauthenticated');
      assert.deepEqual(issuer.asked, []);
    });
  }

  it('refuses an assertion alone: 401; and beside a merchant’s key: 403', async () => {
    const issuer = await createTokenStage([pair], identity);
    const headers = { 'cf-access-jwt-assertion': await assertion() };
    assert.equal(await onboard(issuer, { ...headers, authorization: '' }), '401 unauthenticated');
    assert.equal(await onboard(issuer, headers), '403 forbidden');
  });

  it('is 503 while the team’s keys cannot be had', async () => {
    const issuer = await createTokenStage([pair], identity);
    issuer.respond = () => Promise.reject(new TypeError('connection refused'));
    assert.equal(await onboard(issuer, { 'cf-access-jwt-assertion': await assertion() }), '503 unavailable');
  });

  it('leaves the other routes as they were', async () => {
    const issuer = await createTokenStage([pair], identity);
    const headers = { authorization: `Bearer ${key}` };
    assert.equal(await told(await issuer.stage.ask(`/v1/wallets/${walletId}/balance`, { headers })), '201');
    assert.deepEqual(issuer.askedOutside, []);
  });

  it('asks for nothing more where Access is not configured', async () => {
    const issuer = await createTokenStage([pair], { access: null });
    issuer.keys.set(await keyDigest(key), { ...grant, merchant_id: null, scopes: ['admin'] });
    assert.equal(await onboard(issuer, {}), '201');
  });
});
