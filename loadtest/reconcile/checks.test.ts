/** A planted violation is found, by the check that it belongs to, and said in words; a sound ledger passes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { balanceEventId, type LedgerPosition, transactionId } from '@local-plus/contracts';
import { AccountsCheck, type CheckResult, ClaimsCheck, EntriesCheck, type LedgerRow } from './checks.ts';
import { balanceEvent, type EventsCheck, ledgerEvent } from './events.ts';
import { ClaimsBuilder, type RecordLine } from './record.ts';
import { eventChecks } from './topics.ts';

const wallets = ['01900000-0000-7000-8000-00000000000a', '01900000-0000-7000-8000-00000000000b'] as const;
const atMs = 1_790_000_000_000;

/** Earn 100, burn 30 on each of two wallets. */
function soundLedger(): LedgerRow[] {
  const position = (batch: number): LedgerPosition => ({ writerId: 1, batch, place: 0 });
  return wallets.flatMap((accountId, index) => {
    const common = { accountId, heldAfter: 0, occurredAt: new Date(atMs).toISOString() };
    const [first, second] = [
      transactionId(atMs, position(index * 2 + 1)),
      transactionId(atMs, position(index * 2 + 2)),
    ];
    const earn = { kind: 'earn', amount: 100, balanceDelta: 100, balanceAfter: 100, version: 1, transactionId: first };
    const burn = { kind: 'burn', amount: 30, balanceDelta: -30, balanceAfter: 70, version: 2, transactionId: second };
    return [
      { ...common, ...earn, idempotencyKey: `run.${index}.1` },
      { ...common, ...burn, idempotencyKey: `run.${index}.2` },
    ];
  });
}

function lineOf(row: LedgerRow, over: Partial<RecordLine> = {}): RecordLine {
  return {
    key: row.idempotencyKey,
    wallet_id: row.accountId,
    kind: row.kind as 'earn' | 'burn',
    amount: row.amount,
    status: 201,
    replay: false,
    answer: {
      id: row.transactionId,
      wallet_id: row.accountId,
      kind: row.kind,
      amount: row.amount,
      balance_after: row.balanceAfter,
      held_after: row.heldAfter,
      version: row.version,
      created_at: row.occurredAt,
    },
    ...over,
  };
}

function changed(rows: readonly LedgerRow[], index: number, change: Partial<LedgerRow>): LedgerRow[] {
  return rows.map((row, at) => (at === index ? { ...row, ...change } : row));
}

function violated(results: readonly CheckResult[]): string[] {
  return results.filter(({ violations }) => violations > 0).map(({ name }) => name.slice(0, 2));
}

function firstWords(results: readonly CheckResult[]): string {
  return results.find(({ first }) => first !== null)?.first ?? '';
}

function accounts(rows: readonly LedgerRow[]): CheckResult[] {
  const check = new AccountsCheck();
  for (const row of rows) check.add(row);
  return check.results();
}

function claims(
  rows: readonly LedgerRow[],
  lines: readonly RecordLine[],
  refusals: [string, string][] = [],
): CheckResult[] {
  const builder = new ClaimsBuilder();
  for (const line of lines) builder.add(line);
  const check = new ClaimsCheck(builder.build());
  for (const row of rows) check.add(row);
  for (const [account, key] of refusals) check.addRefusal(account, key);
  return check.results();
}

test('I1: a sound ledger balances; a leg too many, a wrong leg and a missing leg are found', () => {
  const run = (rows: readonly (readonly [string, number, number])[]): CheckResult[] => {
    const check = new EntriesCheck();
    for (const [seq, leg, amount] of rows) check.add({ seq, leg, amount });
    return check.results();
  };
  const sound = [
    ['1', 1, 5],
    ['1', 2, -5],
    ['2', 1, -7],
    ['2', 2, 7],
  ] as const;
  assert.deepEqual(violated(run(sound)), []);
  assert.equal(run(sound)[0]?.looked, 2);
  assert.equal(firstWords(run([...sound, ['3', 1, 5], ['3', 2, -4]])), 'the entries of seq 3 sum to 1');
  assert.deepEqual(violated(run([...sound, ['3', 1, 5]])), ['I1', 'I1']);
  assert.match(
    firstWords(
      run([
        ['1', 1, 5],
        ['1', 1, 5],
        ['1', 2, -5],
        ['1', 2, -5],
      ]),
    ),
    /has 4 entries/,
  );
});

test('I2: a sound ledger passes', () => {
  assert.deepEqual(violated(accounts(soundLedger())), []);
});

test('I2: a gap, a doubled version, a wrong balance, a wrong direction and an overdraft are found', () => {
  const rows = soundLedger();
  assert.match(firstWords(accounts(changed(rows, 1, { version: 3 }))), /version 3 stands where version 2 should/);
  assert.match(firstWords(accounts(changed(rows, 0, { version: 2 }))), /version 2 stands where version 1 should/);
  assert.match(
    firstWords(accounts([...rows.slice(0, 2), ...rows.slice(1)])),
    /version 2 stands where version 3 should/,
  );
  assert.match(firstWords(accounts(changed(rows, 3, { balanceAfter: 71 }))), /says balance 71, its postings sum to 70/);
  assert.match(firstWords(accounts(changed(rows, 3, { kind: 'earn' }))), /is earn 30, but moves the balance by -30/);
  assert.match(firstWords(accounts(changed(rows, 3, { heldAfter: 71 }))), /leaves -1 available/);
});

test('I3: what clients were told is what the ledger holds', () => {
  const rows = soundLedger();
  const lines = rows.map((row) => lineOf(row));
  const replay = lineOf(rows[0] as LedgerRow, { replay: true });
  const results = claims(rows, [...lines, replay]);
  assert.deepEqual(violated(results), []);
  assert.deepEqual(
    results.map(({ looked }) => looked),
    [4, 1, 0, 0, 4],
  );
});

test('I3: an answered write that is absent, different, doubled or unasked for is found', () => {
  const rows = soundLedger();
  const lines = rows.map((row) => lineOf(row));
  assert.match(firstWords(claims(rows.slice(1), lines)), /was answered 201 and is not in the ledger/);
  assert.match(firstWords(claims(changed(rows, 0, { balanceAfter: 99 }), lines)), /differ in balance_after 100 and 99/);
  assert.match(firstWords(claims(changed(rows, 0, { amount: 99 }), lines)), /stands in the ledger as earn 99/);
  assert.match(firstWords(claims([...rows, rows[0] as LedgerRow], lines)), /is in the ledger 2 times/);
  assert.match(firstWords(claims(rows, lines.slice(1))), /earn run\.0\.1/);
});

test('I3: a replay that answers differently, or turns a refusal into a posting, is found', () => {
  const rows = soundLedger();
  const lines = rows.map((row) => lineOf(row));
  const row = rows[0] as LedgerRow;
  const other = { ...(lineOf(row).answer as object), balance_after: 1 };
  assert.match(firstWords(claims(rows, [...lines, lineOf(row, { answer: other })])), /answered twice, but differently/);
  assert.match(firstWords(claims(rows, [lineOf(row, { status: 409 }), ...lines])), /was answered 409 and then 201/);
  assert.match(firstWords(claims(rows, [...lines, lineOf(row, { status: 409 })])), /was answered 201 and then 409/);
});

test('I3: a refusal that is in the ledger, or was not kept, is found', () => {
  const row = soundLedger()[1] as LedgerRow;
  const refused = lineOf(row, { status: 409, answer: {} });
  assert.deepEqual(violated(claims([], [refused], [[row.accountId, row.idempotencyKey]])), []);
  assert.match(firstWords(claims([], [refused])), /was refused, but not for good/);
  assert.match(firstWords(claims([row], [refused])), /was refused and is in the ledger/);
  assert.match(firstWords(claims([row], [lineOf(row, { status: 429, answer: null })])), /was rejected and is in the/);
});

test('I3: an unanswered write may be in the ledger once or not at all, and a retry may tell', () => {
  const row = soundLedger()[0] as LedgerRow;
  const lost = lineOf(row, { status: 0, answer: null });
  assert.deepEqual(violated(claims([], [lost])), []);
  assert.deepEqual(violated(claims([row], [lost])), []);
  assert.deepEqual(violated(claims([row], [lost, lineOf(row)])), []);
  assert.deepEqual(violated(claims([row], [lost, lineOf(row, { status: 429, answer: null })])), []);
  assert.match(firstWords(claims([row, row], [lost])), /is in the ledger 2 times/);
});

function events(rows: readonly LedgerRow[], published: readonly LedgerRow[], newRows = 0): CheckResult[] {
  const { ledger, balance } = eventChecks();
  for (const row of published) publish(row, ledger, balance);
  for (const row of rows) {
    ledger.addRow(row);
    balance.addRow(row);
  }
  return [...ledger.results(newRows), ...balance.results(newRows)];
}

function publish(row: LedgerRow, ledger: EventsCheck, balance: EventsCheck): void {
  const { accountId, transactionId: id, version, kind, amount } = row;
  const held = row.heldAfter;
  ledger.addEvent(
    ledgerEvent(accountId, {
      event_id: id,
      data: {
        transaction_id: id,
        account_id: accountId,
        version,
        kind,
        amount,
        balance_delta: row.balanceDelta,
        balance_after: row.balanceAfter,
        held_after: held,
      },
    }),
  );
  const data = { wallet_id: accountId, version, balance: row.balanceAfter, held, available: row.balanceAfter - held };
  balance.addEvent(balanceEvent(accountId, { event_id: balanceEventId(id), data }));
}

test('I5: every transaction on both topics passes, in any order between accounts, and delivered twice', () => {
  const rows = soundLedger();
  assert.deepEqual(violated(events(rows, rows)), []);
  assert.deepEqual(violated(events(rows, [...rows.slice(2), ...rows.slice(0, 2)])), []);
  assert.deepEqual(violated(events(rows, [...rows.slice(0, 2), ...rows])), []);
});

test('I5: a missing, a misplaced, a changed and an invented event are found', () => {
  const rows = soundLedger();
  const [first, second] = rows as [LedgerRow, LedgerRow];
  assert.match(firstWords(events(rows, rows.slice(0, 3))), /version 2 is not on ledger\.transactions\.v1/);
  assert.match(firstWords(events(rows, [second, first, ...rows.slice(2)])), /version 2 came where version 1 should/);
  assert.match(firstWords(events(rows, rows.slice(1))), /version 2 came where version 1 should/);
  assert.match(firstWords(events(rows, changed(rows, 0, { amount: 7 }))), /says something else than the ledger/);
  assert.match(firstWords(events(rows.slice(0, 3), rows)), /1 events belong to no transaction/);
  assert.deepEqual(violated(events(rows.slice(0, 3), rows, 1)), []);
  assert.match(
    firstWords(events(rows, [...rows, ...changed(rows, 0, { balanceAfter: 1 }).slice(0, 1)])),
    /was published twice, but differently/,
  );
});
