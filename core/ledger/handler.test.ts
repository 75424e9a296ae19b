/** The ledger's routes on a real Postgres, below HTTP: what each answers, and to whom. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  type AccountId,
  type EdgeContext,
  type IdempotencyKey,
  type MerchantId,
  type ProblemCode,
  type ProgramId,
  problemSchema,
  programAccount,
  type RequestId,
  type RouteId,
  routes,
  uuidV7,
  validateQuery,
  wallets,
} from '@local-plus/contracts';
import { Registry } from 'prom-client';
import { type CoreAnswer, type CoreRequest, ProblemError } from '../platform/http/index.ts';
import type { Database } from '../platform/postgres/index.ts';
import { startDatabase, type TestDatabase } from '../test/database.ts';
import { quiet } from '../test/log.ts';
import { anotherMillisecond } from '../test/time.ts';
import { type AccountTerms, createLedger, type Ledger } from './index.ts';

const merchantId = uuidV7<MerchantId>(Date.now());
const programId = uuidV7<ProgramId>(Date.now());
const rules: AccountTerms['rules'] = { expiry: null, reversalPolicy: { type: 'refuse' }, holdExpiresInS: 60 };

describe('the ledger module', () => {
  const accounts = new Map<AccountId, AccountTerms>();
  const registry = new Registry();
  let database: TestDatabase;
  let ledger: Ledger;
  let reads: Database;

  before(async () => {
    database = await startDatabase();
    reads = database.pool();
    ledger = createLedger({
      database: { id: 1, url: database.url, pool: reads },
      writerId: 3,
      accounts: { find: (id) => accounts.get(id) ?? null },
      purchases: { rate: () => null },
      log: quiet,
      registry,
      committed: () => undefined,
      superseded: () => undefined,
    });
    await ledger.start();
  });
  after(async () => {
    await ledger.stop(1_000);
    await database.close();
  });

  function open(): AccountId {
    const accountId = uuidV7<AccountId>(Date.now());
    accounts.set(accountId, { kind: 'wallet', accountId, merchantId, programId, unit: 'PTS', rules });
    return accountId;
  }

  async function call<Id extends RouteId>(
    id: Id,
    param: string,
    more: { body?: unknown; key?: string; query?: string; merchant?: MerchantId | null } = {},
  ): Promise<CoreAnswer> {
    const query = more.query ?? '';
    const queryValues = validateQuery(routes[id].query, query);
    assert.ok(queryValues.ok);
    const merchant = more.merchant === undefined ? merchantId : more.merchant;
    const scopes: EdgeContext['scopes'] = merchant === null ? ['admin'] : [];
    const context = { merchantId: merchant, scopes } as EdgeContext;
    const request = {
      routeId: id,
      params: [param],
      query,
      queryValues: queryValues.value,
      body: more.body ?? null,
      context,
      idempotencyKey: (more.key ?? uuidV7(Date.now())) as IdempotencyKey,
      requestId: uuidV7<RequestId>(Date.now()),
      traceparent: null,
      deadlineMs: performance.now() + 5_000,
    } as unknown as CoreRequest<Id>;
    const handle = ledger.handlers[id] as unknown as (request: CoreRequest<Id>) => Promise<CoreAnswer>;
    return handle(request);
  }

  const refusedWith = (code: ProblemCode) => (cause: unknown) => cause instanceof ProblemError && cause.code === code;

  it('answers an earn with the documented transaction, and a replay with the same bytes', async () => {
    const wallet = open();
    const body = { amount: 7, reference: 'order "1"', metadata: { b: 'x', a: 1 } };
    const first = await call('wallets.earn', wallet, { body, key: 'k' });
    const again = await call('wallets.earn', wallet, { body: { ...body, metadata: { a: 1, b: 'x' } }, key: 'k' });
    assert.equal(first.status, 201);
    const transaction = wallets.transaction.parse(JSON.parse(first.body));
    assert.deepEqual(
      [transaction.wallet_id, transaction.kind, transaction.amount, transaction.balance_after, transaction.version],
      [wallet, 'earn', 7, 7, 1],
    );
    assert.deepEqual(transaction.metadata, body.metadata);
    assert.equal(again.body, first.body);
    assert.deepEqual(again.headers, { 'idempotent-replayed': 'true' });
    assert.equal(first.headers, undefined);
    await assert.rejects(
      call('wallets.earn', wallet, { body: { amount: 8 }, key: 'k' }),
      refusedWith('idempotency_key_reused'),
    );
    await assert.rejects(call('wallets.burn', wallet, { body, key: 'k' }), refusedWith('idempotency_key_reused'));
  });

  it('answers a refusal, and its replay, with the same problem document', async () => {
    const wallet = open();
    await call('wallets.earn', wallet, { body: { amount: 30 } });
    const first = await call('wallets.burn', wallet, { body: { amount: 50 }, key: 'k' });
    await call('wallets.earn', wallet, { body: { amount: 100 } });
    const again = await call('wallets.burn', wallet, { body: { amount: 50 }, key: 'k' });
    const problem = problemSchema.parse(JSON.parse(first.body));
    assert.deepEqual(
      [first.status, problem.code, problem.detail],
      [409, 'insufficient_funds', 'Available is 30; the burn asks for 50.'],
    );
    assert.equal(again.body, first.body);
    assert.equal(again.headers?.['idempotent-replayed'], 'true');
  });

  it('shows the balance now and at any past moment', async () => {
    const wallet = open();
    const moments: string[] = [new Date(Date.now() - 1_000).toISOString()];
    for (let amount = 1; amount <= 9; amount++) {
      const answer = await call('wallets.earn', wallet, { body: { amount } });
      moments.push(JSON.parse(answer.body).created_at);
      await anotherMillisecond();
    }
    for (const [version, moment] of moments.entries()) {
      const answer = await call('wallets.balance', wallet, { query: `as_of=${moment}` });
      const past = wallets.walletBalance.parse(JSON.parse(answer.body));
      assert.deepEqual([past.version, past.balance], [version, (version * (version + 1)) / 2], moment);
    }
    const now = wallets.walletBalance.parse(JSON.parse((await call('wallets.balance', wallet)).body));
    assert.deepEqual([now.version, now.balance, now.available, now.unit], [9, 45, 45, 'PTS']);
  });

  it('pages through the history newest first; rows that arrive meanwhile neither repeat nor hide one', async () => {
    const wallet = open();
    for (let amount = 1; amount <= 10; amount++) await call('wallets.earn', wallet, { body: { amount } });
    const seen: number[] = [];
    let query = 'limit=3';
    for (let page = 0; page < 4; page++) {
      const answer = wallets.transactionPage.parse(
        JSON.parse((await call('wallets.transactions', wallet, { query })).body),
      );
      seen.push(...answer.data.map(({ version }) => version));
      query = `limit=3&cursor=${answer.next_cursor}`;
      assert.equal(answer.next_cursor === null, page === 3);
      await call('wallets.earn', wallet, { body: { amount: 1 } });
    }
    assert.deepEqual(seen, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    const other = open();
    const { next_cursor } = JSON.parse((await call('wallets.transactions', wallet, { query: 'limit=3' })).body);
    for (const cursor of [next_cursor, 'AAAA', Buffer.from(`${other.slice(-12)}.5`).toString('base64url')]) {
      await assert.rejects(
        call('wallets.transactions', other, { query: `cursor=${cursor}` }),
        refusedWith('invalid_cursor'),
      );
    }
    assert.deepEqual(JSON.parse((await call('wallets.transactions', other)).body), { data: [], next_cursor: null });
  });

  it('I1: reads a transaction by its id alone, with entries that sum to zero', async () => {
    const wallet = open();
    await call('wallets.earn', wallet, { body: { amount: 10 } });
    const burn = JSON.parse((await call('wallets.burn', wallet, { body: { amount: 4 } })).body);
    const read = wallets.transactionWithEntries.parse(JSON.parse((await call('transactions.read', burn.id)).body));
    const { entries, ...transaction } = read;
    assert.deepEqual(transaction, burn);
    assert.deepEqual(entries, [
      { account_id: wallet, amount: -4 },
      { account_id: programAccount(programId, 'redeemed'), amount: 4 },
    ]);
    for (const id of [uuidV7(Date.now()), 'x', `${burn.id.slice(0, 7)}0${burn.id.slice(8)}`]) {
      if (id !== burn.id) await assert.rejects(call('transactions.read', id), refusedWith('not_found'));
    }
  });

  it("answers another merchant's wallet exactly as one that does not exist; the operator sees all", async () => {
    const wallet = open();
    const earned = JSON.parse((await call('wallets.earn', wallet, { body: { amount: 10 } })).body);
    const merchant = uuidV7<MerchantId>(Date.now());
    const reads = ['wallets.balance', 'wallets.transactions'] as const;
    for (const id of reads) {
      await assert.rejects(call(id, wallet, { merchant }), refusedWith('not_found'));
      await assert.rejects(call(id, uuidV7(Date.now())), refusedWith('not_found'));
      await assert.rejects(call(id, 'not-a-uuid'), refusedWith('not_found'));
      assert.equal((await call(id, wallet, { merchant: null })).status, 200);
    }
    await assert.rejects(call('transactions.read', earned.id, { merchant }), refusedWith('not_found'));
    await assert.rejects(call('wallets.earn', wallet, { merchant, body: { amount: 1 } }), refusedWith('not_found'));
    assert.equal((await ledger.balances.balance(wallet)).balance, 10);
  });

  it('says what it does: readiness and metrics', async () => {
    assert.deepEqual(ledger.readiness(), { ok: true, reasons: [] });
    const metrics = await registry.metrics();
    assert.match(metrics, /ledger_batch_commands_count [1-9]/);
    assert.match(metrics, /ledger_lane_state\{state="running"\} 1/);
    assert.match(metrics, /ledger_queue_depth 0/);
  });
});
