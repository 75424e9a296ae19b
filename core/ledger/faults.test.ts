/**
 * The runtime on a real Postgres that is hurt while clients with retries move points. Afterwards the tables must hold
 * exactly what was answered: nothing lost (I3), nothing twice (I3), versions dense and balances right (I2).
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Runtime } from '@local-plus/actors';
import type { AccountId } from '@local-plus/contracts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { eventually, meanwhile } from '../test/stack.ts';
import { type Answered, client, connect, newAccounts, requestOf, verify } from './test/clients.ts';

const ROUNDS_MAX = 20;

describe('the ledger on a Postgres in trouble', () => {
  let database: TestDatabase;
  before(async () => {
    database = await startDatabase();
  });
  after(() => database.close());

  it('survives its backend being killed again and again', async () => {
    const accounts = newAccounts(5);
    const runtime = connect(database.url, 11);
    await runtime.start();
    const answered: Answered[] = [];
    let kills = 0;
    const isHurt = () => kills > 3 && runtime.status.counters.unknownOutcomes > 0;
    // Once does, unless the machine is so fast, or so slow, that no backend was killed at work.
    for (let round = 0; round < ROUNDS_MAX && !isHurt(); round++) {
      const clients = Array.from({ length: 16 }, () => client(() => runtime, accounts, 120));
      const told = await meanwhile(Promise.all(clients), async () => {
        const killed = await database.sql`
          select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'local-plus ledger'`;
        kills += killed.length;
        await pause(40);
      });
      answered.push(...told.flat());
    }
    assert.ok(kills > 3, 'backends were killed while it worked');
    assert.ok(runtime.status.counters.unknownOutcomes > 0, 'and it met unknown outcomes');
    await runtime.stop(1_000);
    await verify(database, accounts, answered);
  });

  it('survives Postgres stopped at once and started again: refuses meanwhile, recovers by itself', async () => {
    const accounts = newAccounts(5);
    const runtime = connect(database.url, 12);
    await runtime.start();
    let working = true;
    const breaker = (async () => {
      for (let round = 0; round < 2 && working; round++) {
        await pause(150);
        await database.server.stopImmediately();
        await pause(200);
        await database.server.start();
      }
    })();
    const clients = Array.from({ length: 16 }, () => client(() => runtime, accounts, 150));
    const answered = (await Promise.all(clients)).flat();
    working = false;
    await breaker;
    await eventually('the lane runs', () => runtime.status.lane === 'running');
    await runtime.stop(1_000);
    await verify(database, accounts, answered);
  });

  it('I7: a writer that was superseded under load writes nothing more, and its clients finish elsewhere', async () => {
    const accounts = newAccounts(5);
    let current = connect(database.url, 13);
    await current.start();
    const clients = Array.from({ length: 8 }, () => client(() => current, accounts, 200));
    const olds: Runtime[] = [];
    for (let takeover = 0; takeover < 5; takeover++) {
      await pause(40);
      const successor = connect(database.url, 13);
      await successor.start();
      olds.push(current);
      current = successor;
    }
    const answered = (await Promise.all(clients)).flat();
    await verify(database, accounts, answered);
    for (const old of olds)
      assert.notEqual((await old.submit(requestOf(accounts[0] as AccountId, 'earn', 1, 'stale'))).type, 'posted');
    for (const runtime of [...olds, current]) await runtime.stop(500);
    await verify(database, accounts, answered);
  });

  it('one command that Postgres refuses fails alone', async () => {
    const [accountId, bystander] = newAccounts(2) as [AccountId, AccountId];
    const runtime = connect(database.url, 14);
    await runtime.start();
    const bad = requestOf(accountId, 'earn', 1, 'bad', 'a\0b');
    const outcomes = await Promise.all([runtime.submit(bad), client(() => runtime, [bystander], 5)]);
    assert.equal(outcomes[0].type, 'failed');
    await runtime.stop(500);
    await verify(database, [accountId, bystander], outcomes[1]);
  });
});
