/** Wallets on a real Postgres: created once, found fast, seen by their merchant only. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { wallets } from '@local-plus/contracts';
import { assertProblem, type Caller, operator, type SignedClient, TestStack } from '../test/stack.ts';
import { Tenant } from '../test/tenant.ts';

describe('the wallet module', () => {
  const stack = new TestStack();
  let client: SignedClient;
  let caller: Caller;
  let programId: string;

  before(async () => {
    ({ client } = await stack.serve());
    ({ caller, programId } = await Tenant.open(client));
  });
  after(() => stack.stop());

  it('creates a wallet, empty, and reads it back as it was created', async () => {
    const body = { program_id: programId, customer_id: randomUUID(), external_id: 'card "7" {ä, \\}' };
    const created = await client.post('/v1/wallets', body, { caller });
    assert.equal(created.status, 201, created.text);
    const { id, created_at, ...rest } = wallets.wallet.parse(created.json);
    const empty = { unit: 'PTS', status: 'active', balance: 0, held: 0, available: 0, version: 0 };
    assert.deepEqual(rest, { ...body, ...empty });
    for (const seeing of [caller, operator]) {
      assert.equal((await client.get(`/v1/wallets/${id}`, { caller: seeing })).text, created.text);
    }
  });

  it('answers a repeated creation with the first wallet, as it was then', async () => {
    const key = randomUUID();
    const send = (body: object) => client.post('/v1/wallets', body, { caller, key });
    const first = await send({ program_id: programId });
    const { id } = wallets.wallet.parse(first.json);
    const earn = await client.post(`/v1/wallets/${id}/earn`, { amount: 7 }, { caller });
    assert.equal(earn.status, 201, earn.text);
    const again = await send({ program_id: programId });
    assert.deepEqual([again.status, again.text], [first.status, first.text]);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
    const read = wallets.wallet.parse((await client.get(`/v1/wallets/${id}`, { caller })).json);
    assert.deepEqual([read.balance, read.available, read.version], [7, 7, 1]);
    assertProblem(await send({ program_id: programId, customer_id: randomUUID() }), 422, 'idempotency_key_reused');
  });

  it('gives one wallet to fifty requests with one key, among others of their moment', async () => {
    const key = randomUUID();
    const same = Array.from({ length: 50 }, () =>
      client.post('/v1/wallets', { program_id: programId }, { caller, key }),
    );
    const others = Array.from({ length: 50 }, () => client.post('/v1/wallets', { program_id: programId }, { caller }));
    const answers = await Promise.all(same);
    const idsOf = (list: typeof answers) => list.map(({ json }) => wallets.wallet.parse(json).id);
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
    assert.equal(answers.filter(({ headers }) => headers.get('idempotent-replayed') === null).length, 1);
    const ids = [...idsOf(await Promise.all(others)), ...idsOf(answers)];
    assert.equal(new Set(ids).size, 51);
  });

  it('gives an external id to one wallet of a program, whoever asks at once', async () => {
    const body = { program_id: programId, external_id: 'member-1' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => client.post('/v1/wallets', body, { caller })));
    const created = answers.filter(({ status }) => status === 201);
    assert.equal(created.length, 1);
    for (const answer of answers.filter(({ status }) => status !== 201)) {
      assertProblem(answer, 409, 'external_id_taken');
    }
    const elsewhere = await Tenant.open(client);
    const same = await client.post('/v1/wallets', { ...body, program_id: elsewhere.programId }, elsewhere);
    assert.equal(same.status, 201, same.text);
  });

  it('hides a wallet, and a program, from other merchants', async () => {
    const mine = wallets.wallet.parse((await client.post('/v1/wallets', { program_id: programId }, { caller })).json);
    const other = await Tenant.open(client);
    const stranger = { caller: other.caller };
    const refusals = [
      await client.get(`/v1/wallets/${mine.id}`, stranger),
      await client.get(`/v1/wallets/${mine.id}/balance`, stranger),
      await client.get(`/v1/wallets/${mine.id}/transactions`, stranger),
      await client.post(`/v1/wallets/${mine.id}/earn`, { amount: 1 }, stranger),
      await client.post(`/v1/wallets/${mine.id}/burn`, { amount: 1 }, stranger),
      await client.post('/v1/wallets', { program_id: programId }, stranger),
      await client.get(`/v1/wallets/${randomUUID()}`, stranger),
      await client.post(`/v1/wallets/${randomUUID()}/earn`, { amount: 1 }, stranger),
      await client.post('/v1/wallets', { program_id: randomUUID() }, stranger),
    ];
    const shapes = refusals.map((answer) => {
      const { request_id: _, ...shape } = assertProblem(answer, 404, 'not_found');
      return JSON.stringify(shape);
    });
    assert.equal(new Set(shapes).size, 1, 'what is hidden looks like what does not exist');
    const read = wallets.wallet.parse((await client.get(`/v1/wallets/${mine.id}`, { caller })).json);
    assert.equal(read.version, 0);
  });

  it('finds wallets that it does not remember: another process made them', async () => {
    const elsewhere = await stack.startCore({ WRITER_ID: '2' });
    const ids = await Promise.all(
      Array.from({ length: 30 }, async () => {
        const answer = await client.post('/v1/wallets', { program_id: programId }, { caller });
        return wallets.wallet.parse(answer.json).id;
      }),
    );
    const reads = await Promise.all(ids.map((id) => elsewhere.client.get(`/v1/wallets/${id}/balance`, { caller })));
    assert.deepEqual(
      reads.map(({ status }) => status),
      ids.map(() => 200),
    );
  });
});
