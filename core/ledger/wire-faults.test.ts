/**
 * The runtime and a real Postgres with a wire between them that hurts: replies lost after the commit, ghosts of
 * connections that died, silence. And one key, asked for by many, across a takeover and a restart.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Outcome, Runtime } from '@local-plus/actors';
import type { AccountId } from '@local-plus/contracts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { FaultProxy } from '../test/proxy.ts';
import { eventually, meanwhile } from '../test/stack.ts';
import { client, connect, isAgain, newAccounts, requestOf, verify } from './test/clients.ts';

const WAITS_MAX = 400;

describe('the ledger on a wire that hurts', () => {
  let database: TestDatabase;
  let proxy: FaultProxy;
  let proxied: string;
  before(async () => {
    database = await startDatabase();
    const url = new URL(database.url);
    proxy = new FaultProxy({ host: url.hostname, port: Number(url.port) });
    url.port = String(await proxy.listen());
    proxied = url.href;
  });
  after(async () => {
    await proxy.close();
    await database.close();
  });

  /** How many of the ledger's statements wait for a lock. */
  async function waitingForLocks(): Promise<number> {
    const [row] = await database.sql<{ waiting: number }[]>`
      select count(*)::int as waiting from pg_stat_activity
      where application_name = 'local-plus ledger' and wait_event_type = 'Lock'`;
    return row?.waiting ?? 0;
  }

  async function withHeldFence(writerId: number, run: () => Promise<void>): Promise<void> {
    const lock = await database.sql.reserve();
    await lock`begin`;
    await lock`select 1 from writers where id = ${writerId} for update`;
    try {
      await run();
    } finally {
      await lock`commit`;
      lock.release();
    }
  }

  async function keysOf(accountId: AccountId): Promise<string[]> {
    const rows = await database.sql<{ idempotency_key: string }[]>`
      select idempotency_key from transactions where account_id = ${accountId} order by version`;
    return rows.map((row) => row.idempotency_key);
  }

  it('loses replies after the commit, again and again: each command is applied once', async () => {
    const accounts = newAccounts(5);
    const runtime = connect(proxied, 21);
    await runtime.start();
    const clients = Array.from({ length: 16 }, () => client(() => runtime, accounts, 80));
    let batches = 0;
    const told = await meanwhile(Promise.all(clients), async () => {
      await pause(5);
      // Only after some progress: however slow the machine is, it gets on.
      if (runtime.status.counters.batches < batches + 8) return;
      batches = runtime.status.counters.batches;
      proxy.loseReplies(1);
    });
    const answered = told.flat();
    assert.ok(proxy.repliesLost > 5, 'replies were lost');
    assert.ok(runtime.status.counters.unknownOutcomes > 0, 'of commits, too');
    await eventually('the lane runs', () => runtime.status.lane === 'running');
    await runtime.stop(1_000);
    await verify(database, accounts, answered);
  });

  it('a retry waits behind the old backend that is still committing, and applies nothing twice', async () => {
    const [accountId] = newAccounts(1) as [AccountId];
    const runtime = connect(proxied, 22);
    await runtime.start();
    assert.equal((await runtime.submit(requestOf(accountId, 'earn', 10, 'warm'))).type, 'posted');
    const outcomes: Promise<Outcome>[] = [];
    await withHeldFence(22, async () => {
      outcomes.push(runtime.submit(requestOf(accountId, 'earn', 5, 'first')));
      await eventually('the first batch waits for the fence', async () => (await waitingForLocks()) === 1);
      outcomes.push(runtime.submit(requestOf(accountId, 'burn', 13, 'second')));
      await pause(50);
      proxy.cutClients();
      await eventually('its resend waits behind its ghost', async () => (await waitingForLocks()) >= 2);
    });
    assert.deepEqual(
      (await Promise.all(outcomes)).map(({ type }) => type),
      ['posted', 'posted'],
    );
    assert.deepEqual(await keysOf(accountId), ['warm', 'first', 'second']);
    assert.equal(runtime.status.counters.unknownOutcomes, 1);
    await runtime.stop(500);
  });

  it('W7: the ghost of a batch that followed a refused one finds its epoch gone', async () => {
    const [accountId] = newAccounts(1) as [AccountId];
    const runtime = connect(proxied, 23);
    await runtime.start();
    assert.equal((await runtime.submit(requestOf(accountId, 'earn', 10, 'warm'))).type, 'posted');
    const { epoch } = runtime.status;
    const outcomes: Promise<Outcome>[] = [];
    await withHeldFence(23, async () => {
      outcomes.push(runtime.submit(requestOf(accountId, 'earn', 5, 'refused', 'a\0b')));
      outcomes.push(runtime.submit(requestOf(newAccounts(1)[0] as AccountId, 'earn', 1, 'before')));
      await eventually('a batch waits for the fence', async () => (await waitingForLocks()) === 1);
      outcomes.push(runtime.submit(requestOf(accountId, 'burn', 13, 'on top of it')));
      await pause(50);
      proxy.cutClients();
    });
    const [refused, before, onTop] = await Promise.all(outcomes);
    assert.deepEqual([refused?.type, before?.type], ['failed', 'posted']);
    assert.ok(onTop?.type === 'refused' || onTop?.type === 'unavailable', `${onTop?.type}`);
    assert.ok(runtime.status.epoch >= epoch);
    assert.equal((await runtime.submit(requestOf(accountId, 'burn', 10, 'after'))).type, 'posted');
    await runtime.stop(500);
    assert.deepEqual(await keysOf(accountId), ['warm', 'after']);
  });

  it('a silence without a reset ends by the deadline as an unknown outcome, and is resolved', async () => {
    const [accountId] = newAccounts(1) as [AccountId];
    const runtime = connect(proxied, 24, { replyTimeoutMs: 500, connectTimeoutS: 1 });
    await runtime.start();
    await settled(runtime, accountId, 'warm');
    const outcomes: Promise<Outcome>[] = [];
    await withHeldFence(24, async () => {
      outcomes.push(runtime.submit(requestOf(accountId, 'burn', 4, 'silent')));
      await eventually('its batch waits for the fence', async () => (await waitingForLocks()) >= 1);
      proxy.fallSilent();
    });
    await eventually('the lane is frozen', () => runtime.status.lane === 'frozen');
    proxy.speak();
    await eventually('the lane runs', () => runtime.status.lane === 'running');
    assert.equal((await outcomes[0])?.type, 'posted');
    assert.deepEqual(await keysOf(accountId), ['warm', 'silent']);
    await runtime.stop(500);
  });

  it('a look-up into a silence is answered as unavailable; the same key works when the wire does', async () => {
    // Who is in memory is not looked up where there is little to do: so it is another one that the silence meets.
    const [known, unknown] = newAccounts(2) as [AccountId, AccountId];
    const runtime = connect(proxied, 27, { replyTimeoutMs: 500, connectTimeoutS: 1 });
    await runtime.start();
    await settled(runtime, known, 'warm');
    proxy.fallSilent();
    assert.equal((await runtime.submit(requestOf(unknown, 'earn', 10, 'silent'))).type, 'unavailable');
    proxy.speak();
    await settled(runtime, unknown, 'silent');
    assert.deepEqual(await keysOf(unknown), ['silent']);
    await runtime.stop(500);
  });

  /** Earns 10: asks again with the same key until it is posted, however slow the wire or the machine is. */
  async function settled(runtime: Runtime, accountId: AccountId, key: string): Promise<void> {
    for (let tries = 0; tries < WAITS_MAX; tries++) {
      const outcome = await runtime.submit(requestOf(accountId, 'earn', 10, key));
      if (outcome.type === 'posted') return;
      assert.ok(isAgain(outcome), outcome.type);
      await pause(25);
    }
    assert.fail('never settled');
  }

  it('I3: one key, a hundred times at once, across a takeover: one effect, one outcome', async () => {
    const [accountId] = newAccounts(1) as [AccountId];
    const old = connect(database.url, 25);
    await old.start();
    assert.equal((await old.submit(requestOf(accountId, 'earn', 100, 'warm'))).type, 'posted');
    const successor = connect(database.url, 25);
    let current = old;
    const ask = async (): Promise<Outcome> => {
      for (let tries = 0; tries < WAITS_MAX; tries++) {
        const outcome = await current.submit(requestOf(accountId, 'burn', 4, 'same'));
        if (outcome.type === 'posted') return outcome;
        assert.ok(isAgain(outcome), outcome.type);
        await pause(25);
      }
      assert.fail('never answered');
    };
    const asked = Array.from({ length: 50 }, ask);
    const taken = successor.start();
    asked.push(...Array.from({ length: 25 }, ask));
    await taken;
    current = successor;
    asked.push(...Array.from({ length: 25 }, ask));
    const ids = new Set(
      (await Promise.all(asked)).map((outcome) => outcome.type === 'posted' && outcome.transactionId),
    );
    assert.equal(ids.size, 1);
    assert.deepEqual(await keysOf(accountId), ['warm', 'same']);
    await old.stop(500);
    await successor.stop(500);
  });

  it('I3: a key belongs to its request and its account, also after a restart', async () => {
    const [accountId, other] = newAccounts(2) as [AccountId, AccountId];
    const first = connect(database.url, 26);
    await first.start();
    const posted = await first.submit(requestOf(accountId, 'earn', 10, 'key'));
    const refused = await first.submit(requestOf(accountId, 'burn', 11, 'too much'));
    assert.ok(posted.type === 'posted' && refused.type === 'refused');
    await first.stop(500);
    const second = connect(database.url, 26);
    await second.start();
    assert.equal((await second.submit(requestOf(accountId, 'earn', 11, 'key'))).type, 'key_reused');
    assert.equal((await second.submit(requestOf(accountId, 'burn', 10, 'key'))).type, 'key_reused');
    const again = await second.submit(requestOf(accountId, 'earn', 10, 'key'));
    assert.ok(again.type === 'posted' && again.replayed && again.transactionId === posted.transactionId);
    const refusedAgain = await second.submit(requestOf(accountId, 'burn', 11, 'too much'));
    assert.ok(refusedAgain.type === 'refused' && refusedAgain.replayed);
    assert.equal((await second.submit(requestOf(other, 'earn', 10, 'key'))).type, 'posted');
    await second.stop(500);
    assert.deepEqual(await keysOf(accountId), ['key']);
  });
});
