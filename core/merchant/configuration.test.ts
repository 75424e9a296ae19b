/** A merchant's configuration on a real Postgres: whole versions, each on top of the one that was read. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type MerchantId, merchants } from '@local-plus/contracts';
import { limits } from '../limits.ts';
import { noRedis } from '../platform/redis/index.ts';
import { createMetrics } from '../platform/telemetry/index.ts';
import { quiet } from '../test/log.ts';
import { assertProblem, type Caller, merchantCaller, operator, type SignedClient, TestStack } from '../test/stack.ts';
import { newMerchant, parsed } from '../test/tenant.ts';
import { createMerchantModule } from './index.ts';

const berlin: merchants.Configuration = {
  time_zone: 'Europe/Berlin',
  support_url: 'https://help.example/cards?lang=de',
};

describe('the configuration of a merchant', () => {
  const stack = new TestStack();
  let client: SignedClient;

  before(async () => {
    ({ client } = await stack.serve());
  });
  after(() => stack.stop());

  const onboard = (): Promise<string> => newMerchant(client);
  const target = (id: string) => `/v1/merchants/${id}/configuration`;
  const read = async (id: string, caller: Caller = merchantCaller(id)) =>
    parsed(await client.get(target(id), { caller }), 200, merchants.configurationRow);
  const set = (id: string, expected_version: number, configuration: object = berlin, key: string = randomUUID()) =>
    client.post(target(id), { expected_version, configuration }, { caller: merchantCaller(id), key });

  it('begins with the defaults, and keeps every version', async () => {
    const id = await onboard();
    const nothing = { merchant_id: id, version: 0, set_by: null, created_at: null };
    assert.deepEqual(await read(id), { ...nothing, configuration: merchants.defaultConfiguration });
    const first = parsed(await set(id, 0), 201, merchants.configurationRow);
    assert.deepEqual([first.version, first.configuration], [1, berlin]);
    for (let version = 1; version < 4; version++) {
      parsed(
        await set(id, version, { ...berlin, support_url: `https://help.example/${version + 1}` }),
        201,
        merchants.configurationRow,
      );
    }
    assert.equal((await read(id, operator)).configuration.support_url, 'https://help.example/4');
    const page = await client.get(`${target(id)}/versions?limit=3`, { caller: merchantCaller(id) });
    const { data, next_cursor } = parsed(page, 200, merchants.configurationPage);
    const rest = await client.get(`${target(id)}/versions?cursor=${next_cursor}`, { caller: operator });
    const versions = [...data, ...parsed(rest, 200, merchants.configurationPage).data];
    assert.deepEqual(
      versions.map(({ version }) => version),
      [4, 3, 2, 1],
    );
    assert.deepEqual(versions.at(-1), first);
    assertProblem(await client.get(`${target(id)}/versions?cursor=_`, { caller: operator }), 400, 'invalid_cursor');
  });

  it('lets one of many set a version, and one key once', async () => {
    const id = await onboard();
    const key = randomUUID();
    const first = await set(id, 0, berlin, key);
    assertProblem(await set(id, 0), 409, 'version_conflict');
    assertProblem(await set(id, 7), 409, 'version_conflict');
    assertProblem(await set(id, 0, { ...berlin, support_url: null }, key), 422, 'idempotency_key_reused');
    const answers = await Promise.all(Array.from({ length: 10 }, () => set(id, 1)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array.from({ length: 9 }, () => 409)]);
    const again = await set(id, 0, berlin, key);
    assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [first.text, 'true']);
    assert.equal((await read(id)).version, 2);
  });

  it('points at what is none', async () => {
    const id = await onboard();
    const wrong: readonly (readonly [object, string])[] = [
      [{ time_zone: 'Mars/Olympus' }, '/configuration/time_zone'],
      [{ time_zone: '+01:00' }, '/configuration/time_zone'],
      [{ support_url: 'http://help.example' }, '/configuration/support_url'],
      [{ support_url: 'https://user@help.example' }, '/configuration/support_url'],
      [{ support_url: `https://a.example/${'a'.repeat(512)}` }, '/configuration/support_url'],
      [{ more: 1 }, '/configuration/more'],
    ];
    for (const [change, pointer] of wrong) {
      const { errors } = assertProblem(await set(id, 0, { ...berlin, ...change }), 400, 'invalid_request');
      assert.equal(errors?.[0]?.pointer, pointer);
    }
    assertProblem(await set(id, -1), 400, 'invalid_request');
  });

  it('is nobody else’s', async () => {
    const [id, other] = [await onboard(), merchantCaller(await onboard())];
    const body = { expected_version: 0, configuration: berlin };
    for (const path of [target(id), `${target(id)}/versions`]) {
      assertProblem(await client.get(path, { caller: other }), 404, 'not_found');
    }
    assertProblem(await client.post(target(id), body, { caller: other }), 404, 'not_found');
    assert.equal((await read(id)).version, 0);
  });

  it('tells the platform the time zone, and a change of it at once', async () => {
    const database = stack.pool();
    const metrics = createMetrics();
    const { settings } = createMerchantModule({
      database,
      redis: noRedis,
      adminTokenDigest: '',
      stateChanged: async () => undefined,
      log: quiet,
      metrics,
      limits: { ...limits, cacheL1AloneMs: 1 },
    });
    const id = (await onboard()) as MerchantId;
    assert.equal(await settings.timeZone(id), 'UTC');
    await set(id, 0);
    await pause(20);
    assert.equal(await settings.timeZone(id), 'Europe/Berlin');
    assert.equal(await settings.timeZone(randomUUID() as MerchantId), 'UTC');
  });
});
