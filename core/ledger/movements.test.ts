/**
 * What holds for every route that moves something, over HTTP on a real Postgres: one outcome per key however often it is
 * asked for, nothing of another tenant, and every mistake pointed at.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { movements, wallets } from '@local-plus/contracts';
import type { z } from 'zod';
import { assertProblem, operator, TestStack } from '../test/stack.ts';
import { parsed, Tenant } from '../test/tenant.ts';

interface Case {
  readonly name: string;
  /** A target that the body does something to, in a new wallet of 1,000 points. */
  readonly open: (tenant: Tenant) => Promise<{ readonly walletId: string; readonly target: string }>;
  readonly body: (tenant: Tenant) => Promise<object>;
  /** With the same key it is another request. */
  readonly other: object;
  readonly answer: z.ZodType;
  /** Members that replace those of the body, and the pointer to what is wrong with them. */
  readonly wrong: readonly (readonly [object, string])[];
}

const note: readonly (readonly [object, string])[] = [
  [{ reference: '' }, '/reference'],
  [{ reference: 'a'.repeat(141) }, '/reference'],
  [{ reference: 'a\u0007' }, '/reference'],
  [{ metadata: { 'a b': 1 } }, '/metadata/a b'],
  [{ metadata: { a: {} } }, '/metadata/a'],
  [{ extra: 1 }, '/extra'],
];
const amounts = [0, -1, 1.5, '5', null, 1_000_000_000_001].map((amount) => [{ amount }, '/amount'] as const);
const reasons = ['', 'a'.repeat(141), 7, null].map((reason) => [{ reason }, '/reason'] as const);

async function onWallet(tenant: Tenant, path: string) {
  const walletId = await tenant.wallet(1_000);
  return { walletId, target: `/v1/wallets/${walletId}/${path}` };
}

async function onHold(tenant: Tenant, path: string) {
  const walletId = await tenant.wallet(1_000);
  const hold = await tenant.made(`/v1/wallets/${walletId}/holds`, { amount: 100 }, movements.hold);
  return { walletId, target: `/v1/holds/${hold.id}/${path}` };
}

const always = (body: object) => async () => body;

const cases: readonly Case[] = [
  {
    name: 'earn',
    open: (tenant) => onWallet(tenant, 'earn'),
    body: always({ amount: 7 }),
    other: { amount: 8 },
    answer: wallets.transaction,
    wrong: [...amounts, ...note],
  },
  {
    name: 'burn',
    open: (tenant) => onWallet(tenant, 'burn'),
    body: always({ amount: 7 }),
    other: { reference: 'b' },
    answer: wallets.transaction,
    wrong: [...amounts, ...note],
  },
  {
    name: 'adjust',
    open: (tenant) => onWallet(tenant, 'adjust'),
    body: always({ direction: 'out', amount: 7, reason: 'typo' }),
    other: { direction: 'in' },
    answer: wallets.transaction,
    wrong: [[{ direction: 'up' }, '/direction'], [{ direction: null }, '/direction'], ...amounts, ...reasons, ...note],
  },
  {
    name: 'freeze',
    open: (tenant) => onWallet(tenant, 'freeze'),
    body: always({ reason: 'stolen' }),
    other: { reason: 'lost' },
    answer: wallets.transaction,
    wrong: [...reasons, [{ reference: 'a' }, '/reference']],
  },
  {
    name: 'unfreeze',
    open: async (tenant) => {
      const opened = await onWallet(tenant, 'unfreeze');
      await tenant.made(`/v1/wallets/${opened.walletId}/freeze`, { reason: 'stolen' }, wallets.transaction);
      return opened;
    },
    body: always({ reason: 'found' }),
    other: { reason: 'a mistake' },
    answer: wallets.transaction,
    wrong: reasons,
  },
  {
    name: 'hold',
    open: (tenant) => onWallet(tenant, 'holds'),
    body: always({ amount: 7 }),
    other: { expires_in_s: 60 },
    answer: movements.hold,
    wrong: [
      ...[0, -1, 1.5, '60', null, 2_592_001].map((expires_in_s) => [{ expires_in_s }, '/expires_in_s'] as const),
      ...amounts,
      ...note,
    ],
  },
  {
    name: 'capture',
    open: (tenant) => onHold(tenant, 'capture'),
    body: always({ amount: 7 }),
    other: { final: true },
    answer: wallets.transaction,
    wrong: [[{ final: 1 }, '/final'], ...amounts, ...note],
  },
  {
    name: 'release',
    open: (tenant) => onHold(tenant, 'release'),
    body: always({}),
    other: { reference: 'r' },
    answer: wallets.transaction,
    wrong: [[{ amount: 1 }, '/amount'], ...note],
  },
  {
    name: 'reverse',
    open: async (tenant) => {
      const walletId = await tenant.wallet(1_000);
      const burn = await tenant.made(`/v1/wallets/${walletId}/burn`, { amount: 100 }, wallets.transaction);
      return { walletId, target: `/v1/transactions/${burn.id}/reverse` };
    },
    body: always({ amount: 7 }),
    other: { reason: 'r' },
    answer: wallets.transaction,
    wrong: [[{ reference: 'r' }, '/reference'], ...amounts, ...reasons],
  },
];

const transfer: Case = {
  name: 'transfer',
  open: async (tenant) => ({ walletId: await tenant.wallet(1_000), target: '/v1/transfers' }),
  body: async (tenant) => ({ to_wallet_id: await tenant.wallet(), amount: 7 }),
  other: { amount: 8 },
  answer: movements.transfer,
  wrong: [[{ from_wallet_id: 'x' }, '/from_wallet_id'], [{ to_wallet_id: null }, '/to_wallet_id'], ...amounts, ...note],
};

describe('every movement', () => {
  const stack = new TestStack();
  let tenant: Tenant;
  let stranger: Tenant;

  before(async () => {
    const { client } = await stack.serve();
    [tenant, stranger] = await Promise.all([Tenant.open(client), Tenant.open(client)]);
  });
  after(() => stack.stop());

  for (const one of [...cases, transfer]) {
    async function open() {
      const { walletId, target } = await one.open(tenant);
      const body = { ...(one === transfer ? { from_wallet_id: walletId } : {}), ...(await one.body(tenant)) };
      const before = await tenant.balance(walletId);
      return { walletId, target, body, before };
    }

    it(`${one.name}: a hundred requests with one key are one, and have one answer`, async () => {
      const { walletId, target, body, before } = await open();
      const key = randomUUID();
      const answers = await Promise.all(Array.from({ length: 100 }, () => tenant.post(target, body, key)));
      for (const answer of answers) parsed(answer, 201, one.answer);
      assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
      const first = answers.filter(({ headers }) => headers.get('idempotent-replayed') === null);
      assert.equal(first.length, 1);
      assert.equal((await tenant.balance(walletId)).version, before.version + 1);
      const again = await tenant.post(target, body, key);
      assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [answers[0]?.text, 'true']);
    });

    it(`${one.name}: another request with its key is refused, and does nothing`, async () => {
      const { walletId, target, body, before } = await open();
      const key = randomUUID();
      parsed(await tenant.post(target, body, key), 201, one.answer);
      assertProblem(await tenant.post(target, { ...body, ...one.other }, key), 422, 'idempotency_key_reused');
      const elsewhere = await tenant.post(`/v1/wallets/${walletId}/earn`, { amount: 999 }, key);
      assertProblem(elsewhere, 422, 'idempotency_key_reused');
      assert.equal((await tenant.balance(walletId)).version, before.version + 1);
    });

    it(`${one.name}: to another merchant it is not there; the operator sees all`, async () => {
      const { walletId, target, body, before } = await open();
      const unknown = target.replace(/[0-9a-f]{8}(?=-[0-9a-f]{4}-)/, '00000000');
      const hidden = assertProblem(await stranger.post(target, body), 404, 'not_found');
      if (one !== transfer) {
        const absent = assertProblem(await tenant.post(unknown, body), 404, 'not_found');
        assert.deepEqual({ ...hidden, request_id: '' }, { ...absent, request_id: '' });
        assertProblem(await tenant.post(target.replace(/[0-9a-f-]{36}/, 'x'), body), 404, 'not_found');
      }
      assert.equal((await tenant.balance(walletId)).version, before.version);
      parsed(await tenant.client.post(target, body, { caller: operator }), 201, one.answer);
    });

    it(`${one.name}: what is wrong with the input is pointed at`, async () => {
      const { walletId, target, body, before } = await open();
      for (const [members, pointer] of one.wrong) {
        const problem = assertProblem(await tenant.post(target, { ...body, ...members }), 400, 'invalid_request');
        assert.deepEqual(problem.errors?.[0]?.pointer, pointer, JSON.stringify(members));
      }
      assertProblem(await tenant.post(target, []), 400, 'invalid_request');
      assertProblem(await tenant.post(target, ''), 400, 'invalid_json');
      const keyless = await tenant.client.send('POST', target, { caller: tenant.caller, body });
      assertProblem(keyless, 400, 'idempotency_key_missing');
      const scopeless = { ...tenant.caller, scopes: ['wallets:read' as const] };
      assertProblem(await tenant.client.post(target, body, { caller: scopeless }), 403, 'forbidden');
      assert.equal((await tenant.balance(walletId)).version, before.version);
    });
  }

  it('a key stands for what it was used on, too: another hold, transaction or wallet is another request', async () => {
    const wallet = await tenant.wallet(1_000);
    const holds = `/v1/wallets/${wallet}/holds`;
    const twice = async <Made>(make: () => Promise<Made>) => [await make(), await make()] as const;
    const held = await twice(() => tenant.made(holds, { amount: 10 }, movements.hold));
    const burnt = await twice(() => tenant.made(`/v1/wallets/${wallet}/burn`, { amount: 10 }, wallets.transaction));
    const others = await twice(() => tenant.wallet());
    const sent = others.map((id) => ({ from_wallet_id: wallet, to_wallet_id: id, amount: 1 }));
    const pairs = [
      held.map(({ id }) => [`/v1/holds/${id}/capture`, { amount: 1 }] as const),
      held.map(({ id }) => [`/v1/holds/${id}/release`, {}] as const),
      burnt.map(({ id }) => [`/v1/transactions/${id}/reverse`, { amount: 1 }] as const),
      sent.map((body) => ['/v1/transfers', body] as const),
    ];
    for (const pair of pairs) {
      const key = randomUUID();
      const [first, second] = [pair[0] ?? assert.fail(), pair[1] ?? assert.fail()];
      assert.equal((await tenant.post(first[0], first[1], key)).status, 201);
      assertProblem(await tenant.post(second[0], second[1], key), 422, 'idempotency_key_reused');
      assert.equal((await tenant.post(second[0], second[1])).status, 201);
    }
  });
});
