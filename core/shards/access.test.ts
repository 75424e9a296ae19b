/** Who may ask what: the operator sees and drains, other processes of core pass requests on, nobody else does either. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { audit, shards } from '@local-plus/contracts';
import {
  assertProblem,
  type Caller,
  merchantCaller,
  nobody,
  operator,
  type SignedClient,
  TestStack,
  theEdge,
} from '../test/stack.ts';
import { parsed } from '../test/tenant.ts';

const core: Caller = { subject: 'core' };
const question = { type: 'read', account_id: '01890000-0000-7000-8000-000000000001', version: 1 };

describe('the routes of shards', () => {
  const stack = new TestStack();
  let client: SignedClient;
  before(async () => {
    ({ client } = await stack.serve());
  });
  after(() => stack.stop());

  it('tell the operator who owns what', async () => {
    const answer = await client.get('/v1/admin/shards', { caller: operator });
    const seen = shards.overview.parse(answer.json);
    assert.equal(seen.shards.length, 256);
    assert.ok(seen.shards.every((shard, index) => shard.id === index && shard.writer_id === 1));
    assert.deepEqual(
      seen.members.map(({ writer_id, state, shards: count }) => [writer_id, state, count]),
      [[1, 'serving', 256]],
    );
    for (const caller of [merchantCaller(randomUUID()), nobody, theEdge, core]) {
      assertProblem(await client.get('/v1/admin/shards', { caller }), 403, 'forbidden');
    }
  });

  it('let nobody but the operator drain, and only what is there', async () => {
    const target = '/v1/admin/shards/drain';
    for (const caller of [merchantCaller(randomUUID()), nobody, core]) {
      assertProblem(await client.post(target, { writer_id: 1 }, { caller }), 403, 'forbidden');
    }
    assertProblem(await client.post(target, { writer_id: 77 }, { caller: operator }), 404, 'not_found');
    assertProblem(await client.post(target, { writer_id: 5_000 }, { caller: operator }), 400, 'invalid_request');
    assert.deepEqual(await trail(), [], 'nothing has changed');
    const answer = await client.post(target, { writer_id: 1 }, { caller: operator });
    assert.deepEqual(answer.json, { writer_id: 1, drain: true });
    const [own] = shards.overview.parse((await client.get('/v1/admin/shards', { caller: operator })).json).members;
    assert.deepEqual([own?.state, own?.shards], ['draining', 256], 'there is nobody to take them');
    await client.post(target, { writer_id: 1, drain: false }, { caller: operator });
  });

  it('tell the operator’s trail of every change, once', async () => {
    const wish = async (drain: boolean) => {
      const sent = { caller: operator };
      assert.equal((await client.post('/v1/admin/shards/drain', { writer_id: 1, drain }, sent)).status, 200);
    };
    const [before] = (await trail()) as [audit.Entry];
    for (const drain of [false, true, true, false, false]) await wish(drain);
    const told = (await trail()).filter(({ place }) => place > before.place).reverse();
    assert.deepEqual(
      told.map(({ actor, target, before, after }) => [actor.subject, target, before, after]),
      [true, false].map((drain) => ['operator', { type: 'writer', id: '1' }, { drain: !drain }, { drain }]),
    );
  });

  /** Newest first. */
  async function trail(): Promise<audit.Entry[]> {
    const answer = await client.get('/v1/audit-entries?action=shards.drain', { caller: operator });
    return parsed(answer, 200, audit.entryPage).data;
  }

  it('serve other processes of core, and nobody else', async () => {
    const send = (caller: Caller, body: unknown) => client.send('POST', '/internal/peers', { caller, body });
    for (const caller of [merchantCaller(randomUUID()), nobody, theEdge, operator]) {
      assertProblem(await send(caller, { questions: [question] }), 403, 'forbidden');
    }
    const forged = await fetch(`${client.origin}/internal/peers`, { method: 'POST', body: '{}' });
    assert.notEqual(forged.status, 200);
    const answer = await send(core, { questions: [question] });
    assert.equal(answer.status, 200, answer.text);
    assert.partialDeepStrictEqual(answer.json, { replies: [{ type: 'state', state: { version: 0, balance: 0 } }] });
    const unknownKind = { type: 'command', facts: {}, command: { kind: 'magic' }, left_ms: 1, version: 1 };
    for (const body of [{}, { questions: [] }, { questions: [unknownKind] }]) {
      assertProblem(await send(core, body), 400, 'invalid_request');
    }
  });
});
