/** Holds over HTTP on a real Postgres: set aside, captured, released, and never spent twice. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { movements, wallets } from '@local-plus/contracts';
import type { App } from '../app.ts';
import { assertProblem, TestStack } from '../test/stack.ts';
import { inLanes, parsed, Tenant } from '../test/tenant.ts';

describe('a hold over HTTP', () => {
  const stack = new TestStack();
  let app: App;
  let tenant: Tenant;

  before(async () => {
    const core = await stack.serve();
    app = core.app;
    tenant = await Tenant.open(core.client, { hold_expires_in_s: 120 });
  });
  after(() => stack.stop());

  const holdOf = (walletId: string, body: object) => tenant.made(`/v1/wallets/${walletId}/holds`, body, movements.hold);
  const readHold = (id: string) => tenant.read(`/v1/holds/${id}`, movements.hold);

  it('sets points aside, for as long as the request or the program says', async () => {
    const wallet = await tenant.wallet(100);
    const body = { amount: 40, reference: 'room 7', metadata: { nights: 2 } };
    const hold = await holdOf(wallet, body);
    const { id, created_at, expires_at, ...rest } = hold;
    const open = { remaining: 40, unit: 'PTS', status: 'open' };
    assert.deepEqual(rest, { wallet_id: wallet, ...body, ...open });
    assert.equal(Date.parse(expires_at) - Date.parse(created_at), 120_000);
    assert.deepEqual(await readHold(id), hold);
    const { balance, held, available } = await tenant.balance(wallet);
    assert.deepEqual([balance, held, available], [100, 40, 60]);
    const made = await tenant.read(`/v1/transactions/${id}`, wallets.transactionWithEntries);
    assert.deepEqual([made.kind, made.amount, made.held_after, made.entries], ['hold', 40, 40, []]);
    const longer = await holdOf(wallet, { amount: 1, expires_in_s: 2_592_000 });
    assert.equal(longer.remaining, 1);
    assert.equal(Date.parse(longer.expires_at) - Date.parse(longer.created_at), 2_592_000_000);
    const refused = await tenant.post(`/v1/wallets/${wallet}/holds`, { amount: 60 });
    const { detail } = assertProblem(refused, 409, 'insufficient_funds');
    assert.equal(detail, 'Available is 59; the hold asks for 60.');
  });

  it('is captured in parts, the last of which gives the rest back', async () => {
    const wallet = await tenant.wallet(100);
    const { id } = await holdOf(wallet, { amount: 50 });
    const target = `/v1/holds/${id}/capture`;
    const part = await tenant.made(target, { amount: 20, reference: 'night 1' }, wallets.transaction);
    assert.deepEqual(
      [part.kind, part.amount, part.balance_after, part.held_after, part.reference],
      ['capture', 20, 80, 30, 'night 1'],
    );
    const rest = await readHold(id);
    assert.deepEqual([rest.status, rest.remaining, rest.amount], ['open', 30, 50]);
    const { detail } = assertProblem(await tenant.post(target, { amount: 31 }), 409, 'capture_exceeds_hold');
    assert.match(detail, /asks for 31/);
    const last = await tenant.made(target, { amount: 10, final: true }, wallets.transaction);
    assert.deepEqual([last.amount, last.balance_after, last.held_after], [10, 70, 0]);
    const closed = await readHold(id);
    assert.deepEqual([closed.status, closed.remaining], ['closed', 0]);
    for (const [path, body] of [
      ['capture', { amount: 1 }],
      ['capture', {}],
      ['release', {}],
    ] as const) {
      assertProblem(await tenant.post(`/v1/holds/${id}/${path}`, body), 409, 'hold_closed');
    }
    const other = await holdOf(wallet, { amount: 70 });
    assert.equal((await tenant.made(`/v1/holds/${other.id}/capture`, {}, wallets.transaction)).balance_after, 0);
  });

  it('is released: all that is left of it is available again', async () => {
    const wallet = await tenant.wallet(100);
    const { id } = await holdOf(wallet, { amount: 50 });
    await tenant.made(`/v1/holds/${id}/capture`, { amount: 20 }, wallets.transaction);
    const release = await tenant.made(`/v1/holds/${id}/release`, { reference: 'gone' }, wallets.transaction);
    assert.deepEqual(
      [release.kind, release.amount, release.balance_after, release.held_after, release.reference],
      ['release', 30, 80, 0, 'gone'],
    );
    assert.equal((await readHold(id)).status, 'closed');
  });

  it('cannot be captured once its time is over', async () => {
    const wallet = await tenant.wallet(10);
    const { id } = await holdOf(wallet, { amount: 10, expires_in_s: 1 });
    await pause(1_100);
    assertProblem(await tenant.post(`/v1/holds/${id}/capture`, {}), 409, 'hold_closed');
    assert.equal((await tenant.balance(wallet)).balance, 10);
  });

  it('is found by its own id only', async () => {
    const wallet = await tenant.wallet(10);
    const [earn] = await tenant.history(wallet);
    for (const id of [earn?.id, wallet, randomUUID(), 'x']) {
      assertProblem(await tenant.get(`/v1/holds/${id}`), 404, 'not_found');
      for (const path of ['capture', 'release']) {
        assertProblem(await tenant.post(`/v1/holds/${id}/${path}`, {}), 404, 'not_found');
      }
    }
    const hold = await holdOf(wallet, { amount: 1 });
    const stranger = await Tenant.open(tenant.client);
    assertProblem(await stranger.get(`/v1/holds/${hold.id}`), 404, 'not_found');
  });

  it('is one of a thousand of its wallet; one more is refused', async () => {
    const wallet = await tenant.wallet(2_000);
    await inLanes(1_000, 32, async () => void (await holdOf(wallet, { amount: 1 })));
    const refused = await tenant.post(`/v1/wallets/${wallet}/holds`, { amount: 1 });
    assertProblem(refused, 409, 'holds_limit_exceeded');
    assert.equal((await tenant.balance(wallet)).held, 1_000);
  });

  it('I2: a thousand at once, each captured at once, spend what is there and no more', async () => {
    const wallet = await tenant.wallet(1_000);
    let captured = 0;
    let refused = 0;
    await inLanes(1_000, 64, async () => {
      const answer = await tenant.post(`/v1/wallets/${wallet}/holds`, { amount: 3 });
      if (answer.status !== 201) {
        assertProblem(answer, 409, 'insufficient_funds');
        refused++;
        return;
      }
      const { id } = parsed(answer, 201, movements.hold);
      const body = { amount: 2, final: true };
      const { amount } = await tenant.made(`/v1/holds/${id}/capture`, body, wallets.transaction);
      captured += amount;
    });
    const after = await tenant.balance(wallet);
    assert.ok(refused > 0, 'it was asked for more than there was');
    assert.deepEqual([after.balance, after.held], [1_000 - captured, 0]);
    const history = await tenant.history(wallet);
    assert.equal(history.length, after.version);
    for (const [index, row] of history.entries()) {
      assert.equal(row.version, index + 1);
      assert.ok(row.held_after >= 0 && row.balance_after >= row.held_after, `version ${row.version}`);
    }
  });

  it('is answered as the first time, also by the core that comes after', async () => {
    const wallet = await tenant.wallet(100);
    const keys = { hold: randomUUID(), capture: randomUUID(), refusal: randomUUID() };
    const held = { amount: 30, expires_in_s: 60, metadata: { b: 1, a: 'x' } };
    const hold = await tenant.post(`/v1/wallets/${wallet}/holds`, held, keys.hold);
    const { id } = parsed(hold, 201, movements.hold);
    const capture = await tenant.post(`/v1/holds/${id}/capture`, { amount: 10 }, keys.capture);
    const refusal = await tenant.post(`/v1/holds/${id}/capture`, { amount: 21 }, keys.refusal);
    const before = await readHold(id);
    await app.stop();
    ({ app, client: tenant.client } = await stack.startCore());
    const again = [
      [await tenant.post(`/v1/wallets/${wallet}/holds`, held, keys.hold), hold],
      [await tenant.post(`/v1/holds/${id}/capture`, { amount: 10 }, keys.capture), capture],
      [await tenant.post(`/v1/holds/${id}/capture`, { amount: 21 }, keys.refusal), refusal],
    ] as const;
    for (const [answer, first] of again) {
      assert.deepEqual([answer.status, answer.text], [first.status, first.text]);
      assert.equal(answer.headers.get('idempotent-replayed'), 'true');
    }
    assert.deepEqual(await readHold(id), before);
    assert.deepEqual([before.status, before.remaining], ['open', 20]);
    await tenant.made(`/v1/holds/${id}/capture`, {}, wallets.transaction);
    // It knows the wallet by its row, and the rules by the program's.
    const next = await holdOf(wallet, { amount: 1 });
    assert.equal(Date.parse(next.expires_at) - Date.parse(next.created_at), 120_000);
  });
});
