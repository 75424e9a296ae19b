/** Nothing that says who a person is stands anywhere in plain: not in a table, not in the log, not in an event or the audit trail. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { customers } from '@local-plus/contracts';
import type postgres from 'postgres';
import { recorded } from '../test/log.ts';
import { type SignedClient, TestStack } from '../test/stack.ts';
import { parsed, Tenant } from '../test/tenant.ts';
import { customerCaller } from './test/caller.ts';

const contact = {
  name: 'Zebulon Quixote-Ångström',
  email: 'zeb.quixote@mail.example',
  phone: '+4930998877',
  birthday: '1984-02-29',
};

/** As a text, and as bytes in whatever form a dump shows them. */
function formsOf(text: string): string[] {
  const bytes = Buffer.from(text);
  const unpadded = bytes.toString('base64').replace(/=+$/, '').slice(0, -1);
  return [text, bytes.toString('hex'), unpadded];
}

describe('contact details', () => {
  const stack = new TestStack();
  const { log, lines: logged } = recorded();
  let sql: postgres.Sql;
  let client: SignedClient;

  before(async () => {
    ({ client } = await stack.serve({}, log));
    sql = stack.sql();
  });
  after(() => stack.stop());

  async function everything(): Promise<string> {
    const tables = await sql<{ name: string }[]>`
      select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`;
    const rows = await Promise.all(tables.map(({ name }) => sql`select t::text as row from ${sql(name)} as t`));
    return rows
      .flat()
      .map((each) => String(each['row']))
      .join('\n');
  }

  it('stand in no table, log line, event or audit entry of a run, whatever is done, and done wrong', async () => {
    const caller = customerCaller(await Tenant.open(client));
    const send = (target: string, body: unknown, key = randomUUID()) => client.post(target, body, { caller, key });
    const key = randomUUID();
    const body = { external_id: 'crm-4711', contact };
    const { id } = parsed(await send('/v1/customers', body, key), 201, customers.customer);
    const other = parsed(await send('/v1/customers', { contact }), 201, customers.customer);
    await send('/v1/customers', body, key);
    await send('/v1/customers', body);
    await send('/v1/customers', { contact: { ...contact, email: `${contact.email} ` } });
    await send('/v1/customers', { contact: { ...contact, nickname: contact.name } });
    await send(`/v1/customers/${id}`, { expected_version: 1, external_id: 'crm-4711', contact });
    await send(`/v1/customers/${id}`, { expected_version: 1, external_id: 'crm-4711', contact });
    // A row that cannot be opened: an error with whatever the error says.
    await sql`update customer_contacts set sealed = sealed || '\\x00' where customer_id = ${other.id}`;
    assert.equal((await client.get(`/v1/customers/${other.id}`, { caller })).status, 500);
    await client.get(`/v1/customers/${id}/export`, { caller });
    await client.get(`/v1/customers?external_id=${encodeURIComponent(contact.email)}`, { caller });
    await send(`/v1/customers/${id}/merge`, { customer_id: other.id });
    const dumped = await everything();
    assert.ok(dumped.includes('crm-4711') && dumped.includes('customer.update'), 'the dump is of what was done');
    await send(`/v1/customers/${id}/erase`, undefined);
    const [later, lines] = [await everything(), logged.join('')];
    assert.ok(lines.includes('internal') || lines.includes('error'), 'the log has the fault');
    for (const detail of Object.values(contact)) {
      for (const form of formsOf(detail)) {
        for (const text of [dumped, later, lines]) assert.ok(!text.includes(form), detail);
      }
    }
    assert.ok(!later.includes('crm-4711'), 'the external id is gone, too');
  });
});
