/** The hand-written JSON against the schemas that everybody else trusts. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TransactionKind } from '@local-plus/actors';
import {
  balanceEventId,
  ledgerTransactionEvent,
  limits,
  type ProgramId,
  programAccount,
  topics,
  transactionId,
  uuidV7,
  walletBalanceUpdatedEvent,
  wallets,
} from '@local-plus/contracts';
import fc from 'fast-check';
import type { Announcement } from './domain.ts';
import { messagesOf } from './events.ts';

const programId = uuidV7<ProgramId>(1_700_000_000_000);

function announcement(of: {
  reference?: string | null;
  traceparent?: string | null;
  balanceAfter?: number;
  heldAfter?: number;
  atMs?: number;
  batch?: number;
  place?: number;
  kind?: TransactionKind;
  amount?: number;
  balanceDelta?: number;
}): Announcement {
  const { balanceAfter = 1_200, heldAfter = 200, atMs = 1_700_000_000_123, batch = 7, place = 3 } = of;
  return {
    batch,
    place,
    row: {
      facts: {
        accountId: uuidV7(atMs),
        programId,
        requestId: uuidV7(atMs),
        traceparent: of.traceparent ?? null,
        reference: of.reference ?? null,
      },
      posting: {
        kind: of.kind ?? 'earn',
        amount: of.amount ?? 200,
        balanceDelta: of.balanceDelta ?? 200,
        contraAccountId: programAccount(programId, 'issued'),
        version: 4,
        balanceAfter,
        heldAfter,
        occurredAtMs: atMs,
      },
    },
  };
}

/** Both values of one announcement, parsed by the schemas. */
function parsed(of: Announcement) {
  const [transactions, balances] = messagesOf(1, [of]);
  assert.equal(transactions?.topic, topics.ledgerTransactions);
  assert.equal(balances?.topic, topics.walletBalanceUpdated);
  const transaction = ledgerTransactionEvent.parse(JSON.parse(String(transactions?.messages[0]?.value)));
  const balance = walletBalanceUpdatedEvent.parse(JSON.parse(String(balances?.messages[0]?.value)));
  return { transaction, balance };
}

describe('the messages of a transaction', () => {
  it('say what the row says', () => {
    const of = announcement({ reference: 'order 7', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` });
    const { facts, posting } = of.row;
    const { transaction, balance } = parsed(of);
    const id = transactionId(posting.occurredAtMs, { writerId: 1, batch: 7, place: 3 });
    const common = {
      occurred_at: '2023-11-14T22:13:20.123Z',
      correlation_id: facts.requestId,
      traceparent: facts.traceparent,
      schema_version: 1,
    };
    assert.deepEqual(transaction, {
      event_id: id,
      event_type: 'ledger.transaction.posted',
      ...common,
      data: {
        transaction_id: id,
        account_id: facts.accountId,
        contra_account_id: posting.contraAccountId,
        program_id: programId,
        version: 4,
        kind: 'earn',
        amount: 200,
        balance_delta: 200,
        balance_after: 1_200,
        held_after: 200,
        reference: 'order 7',
      },
    });
    assert.deepEqual(balance, {
      event_id: balanceEventId(id),
      event_type: 'wallet.balance.updated',
      ...common,
      data: {
        wallet_id: facts.accountId,
        program_id: programId,
        version: 4,
        balance: 1_200,
        held: 200,
        available: 1_000,
      },
    });
  });

  it('are keyed by the account and name their type and version in the headers', () => {
    const of = announcement({});
    for (const { messages } of messagesOf(1, [of])) {
      assert.equal(messages[0]?.key, of.row.facts.accountId);
      const value = JSON.parse(String(messages[0]?.value));
      assert.deepEqual(messages[0]?.headers, {
        event_type: value.event_type,
        schema_version: String(value.schema_version),
      });
    }
  });

  it('keep the order of the rows, and each row its own time', () => {
    const rows = [5, 5, 6, 5].map((ms, place) => announcement({ atMs: 1_700_000_000_000 + ms, place }));
    const values = messagesOf(1, rows)[0]?.messages.map(({ value }) => JSON.parse(String(value)));
    assert.deepEqual(
      values?.map(({ occurred_at }) => occurred_at.slice(-4)),
      ['005Z', '005Z', '006Z', '005Z'],
    );
    assert.equal(new Set(values?.map(({ event_id }) => event_id)).size, 4);
  });

  for (const reference of ['"', '\\', '\\"}],{', '</script>', 'Grüße 🎁 ☃', '\u2028', '￿', "O'Neill", 'null']) {
    it(`carries the reference ${JSON.stringify(reference)} unchanged`, () => {
      assert.equal(parsed(announcement({ reference })).transaction.data.reference, reference);
    });
  }

  it('pass the schema for whatever the ledger can hold', () => {
    const texts = fc
      .string({ unit: 'binary', minLength: 1, maxLength: limits.referenceCharsMax })
      .filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text));
    fc.assert(
      fc.property(
        fc.option(texts),
        fc.integer({ min: -limits.balanceMax, max: limits.balanceMax }),
        fc.constantFrom(...wallets.transactionKinds),
        fc.integer({ min: 0, max: limits.amountMax }),
        fc.integer({ min: 0, max: 253_402_300_799_999 }),
        fc.integer({ min: 1, max: 2 ** 43 - 1 }),
        fc.integer({ min: 0, max: 1_023 }),
        (reference, balanceAfter, kind, amount, atMs, batch, place) => {
          const moved = { kind, amount, balanceDelta: -amount, balanceAfter, heldAfter: 0 };
          const { transaction, balance } = parsed(announcement({ reference, ...moved, atMs, batch, place }));
          assert.deepEqual([transaction.data.kind, transaction.data.amount], [kind, amount]);
          assert.equal(transaction.data.reference, reference);
          assert.equal(transaction.event_id, transactionId(atMs, { writerId: 1, batch, place }));
          assert.equal(balance.data.available, balanceAfter);
        },
      ),
    );
  });
});
