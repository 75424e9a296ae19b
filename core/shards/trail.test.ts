/** The audit trail is in the first database: there is an entry of every wish, whichever database the process is of. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { audit, shards } from '@local-plus/contracts';
import { assertProblem, eventually, operator, type SignedClient } from '../test/stack.ts';
import { parsed } from '../test/tenant.ts';
import { TwoDatabases } from './test/two-databases.ts';

describe('the drain of a process, where the ledger has two databases', () => {
  const two = new TwoDatabases();
  const clients: SignedClient[] = [];
  const drain = (client: SignedClient, writer_id: number, drain: boolean) =>
    client.post('/v1/admin/shards/drain', { writer_id, drain }, { caller: operator });

  before(async () => {
    await two.start();
    await two.place();
    for (const id of [1, 2] as const) {
      const { client } = await two.stack.startCore({ WRITER_ID: String(id), ...two.env(id) });
      clients.push(client);
    }
    for (const client of clients) {
      await eventually('both are members', async () => {
        const seen = shards.overview.parse((await client.get('/v1/admin/shards', { caller: operator })).json);
        return seen.members.length === 2;
      });
    }
  });
  after(() => two.stop());

  it('is told once, whoever is asked and whose process it is', async () => {
    const wishes = clients.flatMap((client) =>
      [1, 2].flatMap((id) => [true, true, false].map((to) => ({ client, id, to }))),
    );
    for (const { client, id, to } of wishes) {
      const answer = await drain(client, id, to);
      assert.deepEqual([answer.status, answer.json], [200, { writer_id: id, drain: to }]);
    }
    const told = (await trail()).map(({ target, before, after }) => [target.id, before?.['drain'], after?.['drain']]);
    const once = ['1', '2'].flatMap((id) => [
      [id, false, true],
      [id, true, false],
    ]);
    assert.deepEqual(told, [...once, ...once]);
  });

  it('leaves nothing in the trail where there is no such process', async () => {
    const before = await trail();
    for (const client of clients) assertProblem(await drain(client, 77, true), 404, 'not_found');
    assert.deepEqual(await trail(), before);
    const [elsewhere] = await two.sql(2)<{ count: number }[]>`select count(*)::int as count from audit_entries`;
    assert.equal(elsewhere?.count, 0);
  });

  /** Oldest first. */
  async function trail(): Promise<audit.Entry[]> {
    const answer = await (clients[0] as SignedClient).get('/v1/audit-entries?limit=100', { caller: operator });
    return parsed(answer, 200, audit.entryPage).data.reverse();
  }
});
