/** A revoked key is refused by every process: at once through Redis, within seconds when Redis is killed. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { merchants } from '@local-plus/contracts';
import { eventually, operator, redisIs, type SignedClient, TestStack } from '../test/stack.ts';
import { newMerchant } from '../test/tenant.ts';
import { grantOf } from './test/grant.ts';

describe('revoking a key', () => {
  const stack = new TestStack();
  let here: SignedClient;
  let there: SignedClient;
  let keysTarget: string;

  before(async () => {
    [here, there] = await stack.serveTwo();
    keysTarget = `/v1/merchants/${await newMerchant(here)}/api-keys`;
  });
  after(() => stack.stop());

  async function newKey() {
    const answer = await here.post(keysTarget, { name: 'k' }, { caller: operator });
    const { id, key } = merchants.createdApiKey.parse(answer.json);
    const statusAt = async (each: SignedClient) => (await grantOf(each, key)).status;
    const revoke = () => here.send('POST', `${keysTarget}/${id}/revoke`, { caller: operator, key: id });
    return { statusAt, revoke };
  }

  it('reaches the other process through Redis', async () => {
    const { statusAt, revoke } = await newKey();
    assert.deepEqual([await statusAt(here), await statusAt(there)], [200, 200]);
    assert.equal((await revoke()).status, 200);
    assert.equal(await statusAt(here), 404);
    await eventually('the other process refuses it', async () => (await statusAt(there)) === 404);
  });

  it('reaches the other process without Redis, and stays when Redis comes back with its old data', async () => {
    const { statusAt, revoke } = await newKey();
    assert.deepEqual([await statusAt(here), await statusAt(there)], [200, 200]);
    await stack.valkey.kill();
    assert.equal((await revoke()).status, 200);
    assert.equal(await statusAt(here), 404);
    await eventually('the other process refuses it', async () => (await statusAt(there)) === 404);
    await stack.valkey.start();
    await redisIs('up', here, there);
    assert.deepEqual([await statusAt(here), await statusAt(there)], [404, 404]);
  });
});
