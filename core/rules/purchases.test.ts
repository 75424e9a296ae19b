/** Purchases and quotes over HTTP on a real Postgres: what is earned, what is remembered, and what caps leave. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import { accountLimits } from '@local-plus/actors';
import { type ProgramId, programAccount, wallets, rules as wire } from '@local-plus/contracts';
import type { App } from '../app.ts';
import { auditLedger, openAuditDatabase } from '../proof/index.ts';
import { quiet } from '../test/log.ts';
import { type Answer, assertProblem, TestStack } from '../test/stack.ts';
import { inLanes, parsed, Tenant } from '../test/tenant.ts';
import { wellWithinDay } from '../test/time.ts';

const base = { id: 'base', currency: 'EUR', effect: { type: 'points_per_amount', points: 1, per: 100 } };
const welcome = {
  id: 'welcome',
  currency: 'EUR',
  conditions: { first_purchase: true },
  effect: { type: 'fixed', points: 50 },
};
const fixed = (id: string, points: number, caps: object[] = []) => ({
  id,
  currency: 'EUR',
  effect: { type: 'fixed', points },
  caps,
});
const bought = (amount: number, rest: object = {}) => ({ purchase: { amount, currency: 'EUR', ...rest } });

describe('purchases over HTTP', () => {
  const stack = new TestStack();
  let tenant: Tenant;
  let app: App;

  before(async () => {
    const core = await stack.serve();
    app = core.app;
    tenant = await Tenant.open(core.client);
  });
  after(() => stack.stop());
  beforeEach(wellWithinDay);

  async function publish(of: Tenant, rules: readonly object[], body: object = {}): Promise<wire.RulesVersion> {
    const path = `/v1/programs/${of.programId}/rules`;
    const { id } = await of.made(path, { ...body, rules }, wire.rulesVersion);
    return parsed(await of.post(`${path}/${id}/publish`, {}), 200, wire.rulesVersion);
  }
  async function withRules(rules: readonly object[], body: object = {}, program: object = {}): Promise<Tenant> {
    const opened = await tenant.sibling(program);
    await publish(opened, rules, body);
    return opened;
  }
  const earn = (of: Tenant, wallet: string, body: object, key?: string): Promise<Answer> =>
    of.post(`/v1/wallets/${wallet}/earn`, body, key);
  async function earned(of: Tenant, wallet: string, body: object, key?: string): Promise<wallets.Transaction> {
    return parsed(await earn(of, wallet, body, key), 201, wallets.transaction);
  }
  async function quote(of: Tenant, body: object): Promise<wire.Quoted> {
    return parsed(await of.post(`/v1/programs/${of.programId}/quote`, body), 200, wire.quoted);
  }

  it('are refused when the wallet would be counted against too many caps, and the wallet is as before', async () => {
    const program = await tenant.sibling();
    const wallet = await program.wallet(5);
    const caps = ['day', 'week', 'month', 'ever'].map((per) => ({ per, points: 1_000 }));
    const path = `/v1/programs/${program.programId}/rules`;
    const { id } = await program.made(path, {}, wire.rulesVersion);
    const [rulesPerRequest, requests] = [50, 6];
    assert.ok(rulesPerRequest * requests * caps.length > accountLimits.countersMax);
    for (let request = 0; request < requests; request++) {
      const rules = Array.from({ length: rulesPerRequest }, (_, n) => fixed(`rule-${request}-${n}`, 1, caps));
      await program.made(`${path}/${id}/rules`, { rules }, wire.rulesVersion);
    }
    parsed(await program.post(`${path}/${id}/publish`, {}), 200, wire.rulesVersion);
    assertProblem(await earn(program, wallet, bought(100)), 409, 'counters_limit_exceeded');
    assert.equal((await program.balance(wallet)).balance, 5);
    await earned(program, wallet, { amount: 1 });
  });

  it('earn what the rules in force say, and say which those were', async () => {
    const program = await tenant.sibling({ point_expiry: { period: 'days', count: 90 } });
    const wallet = await program.wallet();
    assertProblem(await earn(program, wallet, bought(1_999)), 409, 'no_rules_in_force');
    const version = await publish(program, [base]);
    const transaction = await earned(program, wallet, {
      ...bought(1_999),
      reference: 'order 7',
      metadata: { till: 3 },
    });
    assert.deepEqual(
      [transaction.kind, transaction.amount, transaction.rules_id, transaction.reference, transaction.metadata],
      ['earn', 19, version.id, 'order 7', { till: 3 }],
    );
    const read = await program.read(`/v1/transactions/${transaction.id}`, wallets.transactionWithEntries);
    assert.deepEqual([read.rules_id, read.entries.map(({ amount }) => amount)], [version.id, [19, -19]]);
    const plain = await earned(program, wallet, { amount: 5 });
    assert.ok(!('rules_id' in plain));
    const sql = stack.sql();
    const [row] = await sql`select detail from transactions where account_id = ${wallet} and version = 1`;
    assert.equal(row?.['detail'].lots[0][1], 19);
  });

  it('have their first outcome when they are sent again, whatever the rules are by then', async () => {
    const program = await withRules([base]);
    const wallet = await program.wallet();
    const [key, nothing] = [randomUUID(), randomUUID()];
    const line = { sku: 's', category: 'c', amount: 5 };
    const body = bought(1_000, { lines: [line] });
    const first = await earned(program, wallet, body, key);
    const refusal = await earn(program, wallet, bought(99), nothing);
    assertProblem(refusal, 409, 'nothing_earned');
    await publish(program, [fixed('other', 7)]);
    const again = await earn(program, wallet, body, key);
    assert.deepEqual(parsed(again, 201, wallets.transaction), first);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
    const refusedAgain = await earn(program, wallet, bought(99), nothing);
    assert.deepEqual([refusedAgain.status, refusedAgain.json], [409, refusal.json]);
    assert.equal((await earned(program, wallet, bought(1_000))).amount, 7);
    const others = [
      bought(1_001, { lines: [line] }),
      bought(1_000, { lines: [line], currency: 'USD' }),
      bought(1_000, { lines: [line], channel: 'web' }),
      bought(1_000, { lines: [line], occurred_at: '2026-01-01T00:00:00Z' }),
      bought(1_000),
      bought(1_000, { lines: [{ ...line, amount: 6 }] }),
      bought(1_000, { lines: [{ ...line, sku: 'c' }] }),
      bought(1_000, { lines: [{ ...line, category: 's' }] }),
      { ...body, reference: 'r' },
      { amount: 10 },
    ];
    for (const body of others) assertProblem(await earn(program, wallet, body, key), 422, 'idempotency_key_reused');
    assert.equal((await program.balance(wallet)).balance, 17);
  });

  it('are equal however written', async () => {
    const program = await withRules([base]);
    const wallet = await program.wallet();
    const key = randomUUID();
    const occurred_at = '2026-11-21T12:00:00Z';
    const first = await earned(program, wallet, bought(500, { occurred_at, channel: 'web' }), key);
    const same = {
      purchase: { channel: 'web', currency: 'EUR', occurred_at: '2026-11-21T13:00:00+01:00', amount: 500, lines: [] },
    };
    assert.deepEqual(await earned(program, wallet, same, key), first);
  });

  it('earn the welcome once, though a hundred come at once', async () => {
    const program = await withRules([base, welcome]);
    const wallet = await program.wallet();
    assertProblem(await earn(program, wallet, bought(100, { currency: 'USD' })), 409, 'nothing_earned');
    const amounts: number[] = [];
    await inLanes(100, 100, async () => {
      amounts.push((await earned(program, wallet, bought(100))).amount);
    });
    assert.equal(amounts.filter((amount) => amount === 51).length, 1);
    assert.equal(amounts.filter((amount) => amount === 1).length, 99);
    assert.equal((await program.balance(wallet)).balance, 150);
  });

  it('never pass a cap, though a hundred come at once, each of them twice', async () => {
    const caps = [{ per: 'day', points: 25 }];
    const program = await withRules([fixed('daily', 2, caps), fixed('own', 1, [{ per: 'ever', points: 7 }])], {
      caps: [{ per: 'month', points: 31 }],
    });
    const wallet = await program.wallet();
    const outcomes = new Map<number, number>();
    await inLanes(100, 100, async () => {
      const key = randomUUID();
      const [one, two] = await Promise.all([
        earn(program, wallet, bought(100), key),
        earn(program, wallet, bought(100), key),
      ]);
      assert.equal(one.status, two.status, `${one.text} ${two.text}`);
      if (one.status === 409) {
        assertProblem(one, 409, 'nothing_earned');
        outcomes.set(0, (outcomes.get(0) ?? 0) + 1);
        return;
      }
      const transaction = parsed(one, 201, wallets.transaction);
      assert.deepEqual(parsed(two, 201, wallets.transaction), transaction);
      outcomes.set(transaction.amount, (outcomes.get(transaction.amount) ?? 0) + 1);
    });
    // 7 × (2 + 1), then 2 until 31 are full: 5 × 2; the daily cap had room for 24 and one more.
    assert.equal((await program.balance(wallet)).balance, 31);
    assert.deepEqual([...outcomes.entries()].sort(), [
      [0, 88],
      [2, 5],
      [3, 7],
    ]);
    const { points, refusal } = await quote(program, { ...bought(100), wallet_id: wallet });
    assert.deepEqual([points, refusal], [0, 'nothing_earned']);
    assert.equal((await quote(program, bought(100))).points, 3);
  });

  it('count against caps from version to version, and after a restart', async () => {
    const caps = [{ per: 'ever', points: 10 }];
    const program = await withRules([fixed('a', 6, caps)]);
    const wallet = await program.wallet();
    assert.equal((await earned(program, wallet, bought(1))).amount, 6);
    await publish(program, [fixed('a', 9, caps), welcome]);
    await app.stop();
    ({ client: tenant.client, app } = await stack.startCore());
    program.client = tenant.client;
    assert.equal((await earned(program, wallet, bought(1))).amount, 4);
    assertProblem(await earn(program, wallet, bought(1)), 409, 'nothing_earned');
  });

  it('are quoted as they would be earned, rule by rule, and nothing is posted', async () => {
    const program = await withRules([
      { ...base, name: 'Base' },
      welcome,
      { ...fixed('small', 3), group: 'best', priority: 5 },
      { ...fixed('large', 8, [{ per: 'day', points: 10 }]), group: 'best' },
      { ...fixed('web', 99), conditions: { channels: ['web'] } },
    ]);
    const wallet = await program.wallet();
    const body = { ...bought(1_250, { channel: 'store' }), wallet_id: wallet };
    const first = await quote(program, body);
    const shown = ({ rules }: wire.Quoted) =>
      rules.map((each) => [each.id, each.points, each.before_caps, each.lost_to ?? each.unmatched_by]);
    assert.deepEqual(shown(first), [
      ['small', 0, 3, 'large'],
      ['base', 12, 12, null],
      ['large', 8, 8, null],
      ['welcome', 50, 50, null],
      ['web', 0, 0, 'channel'],
    ]);
    const issued = programAccount(program.programId as ProgramId, 'issued');
    const entries = [
      { account_id: wallet, amount: 70 },
      { account_id: issued, amount: -70 },
    ];
    assert.deepEqual(
      [first.points, first.refusal, first.postings],
      [70, null, [{ kind: 'earn', amount: 70, entries }]],
    );
    assert.deepEqual([first.rules[1]?.name, first.rules[1]?.eligible_amount, first.rules_omitted], ['Base', 1_250, 0]);
    assert.equal((await program.balance(wallet)).version, 0);
    assert.equal((await earned(program, wallet, body.purchase && { purchase: body.purchase })).amount, first.points);
    const second = await quote(program, body);
    assert.deepEqual(shown(second), [
      ['small', 0, 3, 'large'],
      ['base', 12, 12, null],
      ['large', 2, 8, null],
      ['web', 0, 0, 'channel'],
      ['welcome', 0, 0, 'first_purchase'],
    ]);
    assert.equal((await earned(program, wallet, { purchase: body.purchase })).amount, second.points);
    const { postings } = await quote(program, bought(100));
    assert.equal(postings[0]?.entries[0]?.account_id, null);
    await program.made(`/v1/wallets/${wallet}/freeze`, { reason: 'lost' }, wallets.transaction);
    const frozen = await quote(program, body);
    assert.deepEqual([frozen.refusal, frozen.points, frozen.postings], ['account_frozen', 0, []]);
    assertProblem(await earn(program, wallet, bought(100)), 409, 'account_frozen');
  });

  it('are quoted in thousands of rules, of which so many are shown', async () => {
    const program = await tenant.sibling();
    const path = `/v1/programs/${program.programId}/rules`;
    const { id } = await program.made(path, { rules: [base] }, wire.rulesVersion);
    for (let from = 0; from < 1_000; from += 100) {
      const rules = Array.from({ length: 100 }, (_, place) => ({
        ...fixed(`r${from + place}`, 1),
        conditions: { skus: [`sku-${from + place}`] },
      }));
      await program.made(`${path}/${id}/rules`, { rules }, wire.rulesVersion);
    }
    parsed(await program.post(`${path}/${id}/publish`, {}), 200, wire.rulesVersion);
    const lines = [{ sku: 'sku-999', amount: 10 }];
    const quoted = await quote(program, bought(100, { lines }));
    assert.deepEqual([quoted.points, quoted.rules.length, quoted.rules_omitted], [2, 200, 801]);
    assert.deepEqual(
      quoted.rules.slice(0, 2).map(({ id: of, matched }) => [of, matched]),
      [
        ['base', true],
        ['r999', true],
      ],
    );
  });

  it("show nothing of another tenant's programs and wallets", async () => {
    const program = await withRules([base]);
    const stranger = await Tenant.open(tenant.client);
    const wallet = await program.wallet();
    assertProblem(await earn(stranger, wallet, bought(100)), 404, 'not_found');
    const path = `/v1/programs/${program.programId}/quote`;
    assertProblem(await stranger.post(path, bought(100)), 404, 'not_found');
    await publish(stranger, [base]);
    const own = `/v1/programs/${stranger.programId}/quote`;
    assertProblem(await stranger.post(own, { ...bought(100), wallet_id: wallet }), 404, 'not_found');
    assertProblem(await program.post(path, { ...bought(100), wallet_id: randomUUID() }), 404, 'not_found');
    const elsewhere = await tenant.wallet();
    assertProblem(await program.post(path, { ...bought(100), wallet_id: elsewhere }), 409, 'program_mismatch');
    const without = await (await tenant.sibling()).post(`/v1/programs/${tenant.programId}/quote`, bought(100));
    assertProblem(without, 409, 'no_rules_in_force');
  });

  it('are found right by the auditor', async () => {
    const database = openAuditDatabase({ url: stack.postgres.url, connectMs: 2_000, log: quiet });
    try {
      const audit = await auditLedger({ database, pageRows: 50 });
      assert.equal(audit.first, null);
      assert.ok(audit.rows > 100);
    } finally {
      await database.close(1_000);
    }
  });

  const wrong: readonly (readonly [string, object, string])[] = [
    ['neither amount nor purchase', {}, '/amount'],
    ['both', { amount: 1, ...bought(1) }, '/purchase'],
    ['nothing bought', bought(0), '/purchase/amount'],
    ['lines of more than the purchase', bought(100, { lines: [{ amount: 60 }, { amount: 41 }] }), '/purchase/lines'],
    ['no currency', { purchase: { amount: 1 } }, '/purchase/currency'],
    ['points', bought(1, { points: 5 }), '/purchase/points'],
    ['yesterday', bought(1, { occurred_at: 'yesterday' }), '/purchase/occurred_at'],
  ];
  for (const [name, body, pointer] of wrong) {
    it(`refuse ${name}, and point at it`, async () => {
      const problem = assertProblem(await earn(tenant, randomUUID(), body), 400, 'invalid_request');
      assert.equal(problem.errors?.[0]?.pointer, pointer);
    });
  }
});
