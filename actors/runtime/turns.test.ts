/** Whose turn it is: what one batch holds of whom, whatever each has waiting. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AccountId } from '@local-plus/contracts';
import fc from 'fast-check';
import { facts, newAccountId } from '../conformance/rows.ts';
import { openedAccount } from '../index.ts';
import { Actor, Pending } from './actor.ts';
import { Tenant } from './tenants.ts';
import { Turns } from './turns.ts';

/** An actor of the tenant with so many commands that can go on. */
function waiting(turns: Turns, tenant: Tenant<Actor>, commands: number): Actor {
  const actor = new Actor(newAccountId());
  actor.committed = openedAccount;
  for (let number = 0; number < commands; number++) {
    const asked = { facts: facts(actor.accountId, `k${number}`), command: { kind: 'freeze' }, deadlineMs: 0 };
    const pending = new Pending(asked as never, actor, tenant, [], () => undefined);
    pending.learn(null);
    actor.enqueue(pending);
  }
  turns.wake(actor);
  return actor;
}

/** Fills one batch: how many commands it has of each account. */
function fill(turns: Turns, rowsMax: number): Map<AccountId, number> {
  const batch = { size: 0 };
  const counts = new Map<AccountId, number>();
  const takeTurn = (actor: Actor, rowsEnd: number): boolean => {
    while (batch.size < rowsEnd && actor.peek() !== null) {
      actor.shift();
      batch.size++;
      counts.set(actor.accountId, (counts.get(actor.accountId) ?? 0) + 1);
    }
    return false;
  };
  let hasRoom = true;
  while (hasRoom && !turns.empty) hasRoom = turns.round(batch, rowsMax, takeTurn);
  assert.ok(batch.size <= rowsMax);
  return counts;
}

describe('turns', () => {
  it('give one account alone the whole batch', () => {
    const turns = new Turns();
    const hot = waiting(turns, new Tenant(), 500);
    assert.equal(fill(turns, 100).get(hot.accountId), 100);
    assert.equal(fill(turns, 100).get(hot.accountId), 100);
  });

  it('put everybody who has little into the next batch, behind however many who have much', () => {
    const turns = new Turns();
    const tenant = new Tenant<Actor>();
    const hot = Array.from({ length: 50 }, () => waiting(turns, tenant, 1_000));
    const light = Array.from({ length: 40 }, () => waiting(turns, tenant, 1));
    const counts = fill(turns, 100);
    for (const { accountId } of light) assert.equal(counts.get(accountId), 1);
    for (const { accountId } of hot) assert.ok((counts.get(accountId) ?? 0) >= 1);
  });

  it('share a batch among tenants, whatever number of accounts each has', () => {
    const turns = new Turns();
    const [many, few] = [new Tenant<Actor>(), new Tenant<Actor>()];
    for (let number = 0; number < 300; number++) waiting(turns, many, 5);
    const own = waiting(turns, few, 1_000);
    assert.equal(fill(turns, 100).get(own.accountId), 50);
    assert.equal(fill(turns, 100).get(own.accountId), 50);
  });

  it('waste no place and lose nobody: each tenant gets its share or all that it has', () => {
    const tenancy = fc.array(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 }), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(tenancy, fc.integer({ min: 6, max: 100 }), (tenants, rowsMax) => {
        const turns = new Turns();
        const actors = tenants.map((mailboxes) => {
          const tenant = new Tenant<Actor>();
          return mailboxes.map((commands) => waiting(turns, tenant, commands));
        });
        const all = tenants.flat().reduce((sum, commands) => sum + commands, 0);
        const counts = fill(turns, rowsMax);
        const got = actors.map((own) => own.reduce((sum, { accountId }) => sum + (counts.get(accountId) ?? 0), 0));
        assert.equal(
          got.reduce((sum, count) => sum + count, 0),
          Math.min(all, rowsMax),
        );
        for (const [index, mailboxes] of tenants.entries()) {
          const own = mailboxes.reduce((sum, commands) => sum + commands, 0);
          assert.ok((got[index] ?? 0) >= Math.min(own, Math.floor(rowsMax / tenants.length)));
        }
        let left = all - Math.min(all, rowsMax);
        while (left > 0) left -= [...fill(turns, rowsMax).values()].reduce((sum, count) => sum + count, 0);
        assert.ok(turns.empty && left === 0);
      }),
    );
  });
});
