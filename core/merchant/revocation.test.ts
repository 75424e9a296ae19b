/** A revoked key is refused by every process: at once through Redis, within seconds when Redis is killed. */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { merchants } from '@local-plus/contracts';
import { eventually, operator, type SignedClient, TestStack, theEdge } from '../test/stack.ts';

describe('revoking a key', () => {
  const stack = new TestStack();
  let here: SignedClient;
  let there: SignedClient;
  let keysTarget: string;

  before(async () => {
    await stack.startPostgres();
    await stack.startValkey();
    ({ client: here } = await stack.startCore());
    ({ client: there } = await stack.startCore({ WRITER_ID: '2' }));
    const merchant = await here.post('/v1/merchants', { name: 'M' }, { caller: operator });
    keysTarget = `/v1/merchants/${merchants.merchant.parse(merchant.json).id}/api-keys`;
    for (const each of [here, there]) await eventually('Redis is up', () => seesRedis(each, 'up'));
  });
  after(() => stack.stop());

  async function seesRedis(each: SignedClient, state: string): Promise<boolean> {
    return ((await each.get('/readyz')).json as { parts: { redis: string } }).parts.redis === state;
  }

  async function newKey() {
    const answer = await here.post(keysTarget, { name: 'k' }, { caller: operator });
    const { id, key } = merchants.createdApiKey.parse(answer.json);
    const digest = hash('sha256', key ?? '', 'hex');
    const statusAt = async (each: SignedClient) =>
      (await each.get(`/internal/keys/${digest}`, { caller: theEdge })).status;
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
    for (const each of [here, there]) await eventually('Redis is back', () => seesRedis(each, 'up'));
    assert.deepEqual([await statusAt(here), await statusAt(there)], [404, 404]);
  });
});
