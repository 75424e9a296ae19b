/** The part of the suite that is about restoring accounts: details, records, checkpoints, due moments. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type AccountId, type ProgramId, type TransactionId, uuidV7 } from '@local-plus/contracts';
import type { AccountRecord, Posting, PostingDetail } from '../account/model.ts';
import { type DueAccount, type LedgerStore, type PostedRow, StoreFailure } from '../ports.ts';
import { batchOf, facts, linkOf, newAccountId, posted } from './rows.ts';

interface Opened {
  readonly store: LedgerStore;
  readonly due: (nowMs: number, accountsMax: number) => Promise<readonly DueAccount[]>;
  readonly claimed: () => Promise<{ writerId: number; epoch: number; batch: number }>;
}

const programId = uuidV7<ProgramId>(1_700_000_000_000);
/** No other case's dues are that old. */
const DUE_MS = 1_000_000_000_123;

/** Rows of one account, version by version; each says what differs from a row that says it all. */
function rowsOf(accountId: AccountId, postings: readonly Partial<Posting>[]): PostedRow[] {
  return postings.map((posting, index) => posted(accountId, index + 1, { programId }, posting));
}

/** What of rows is kept with them. */
function kept(rows: readonly PostedRow[]): Posting[] {
  return rows.map(({ posting }) => ({ ...posting, due: null, checkpoint: null }));
}

export function recordCases(opened: () => Opened): void {
  /** Commits each group as a batch of its own. */
  const write = async (...groups: readonly (readonly PostedRow[])[]): Promise<void> => {
    const { store, claimed } = opened();
    const writer = await claimed();
    for (const [index, rows] of groups.entries()) {
      const batch = batchOf({ ...writer, batch: writer.batch + 1 + index }, { posted: rows });
      assert.equal(await store.commit(batch), true);
    }
  };
  const recordsOf = async (...accounts: AccountId[]): Promise<readonly (AccountRecord | null)[]> =>
    (await opened().store.lookUp({ keys: [], accounts })).accounts;

  it('keeps detail, link and what is reversed exactly, every member in its place', async () => {
    const accountId = newAccountId();
    const detail: PostingDetail = {
      lots: [
        [20_000, 7],
        [20_031, -3],
      ],
      hold: 4,
      hold_expires_ms: 1_700_000_600_000,
      released: 2,
      captured: [[20_000, 5]],
      reverses: 9,
      owed: 1,
      reason: `"quoted", \\ back {slash} — ünï 🎁 NULL`,
      partner: newAccountId(),
      due: true,
      rules: newAccountId(),
      counters: [
        ['a-rule.1/day', 1_700_000_600_000, 7],
        ['purchases', Number.MAX_SAFE_INTEGER, 1],
      ],
    };
    const reversalOf = uuidV7<TransactionId>(1_700_000_000_000);
    const rows = [
      posted(accountId, 1, {}, { kind: 'freeze', amount: 0, balanceDelta: 0, balanceAfter: 0, detail, baseVersion: 0 }),
      posted(accountId, 2, {}, { kind: 'reverse', reversalOf, baseVersion: 0 }),
      { ...posted(accountId, 3), hash: null },
    ];
    await write([...rows, posted(newAccountId(), 1)]);
    const { keys } = await opened().store.lookUp({ keys: rows.map((row) => row.facts), accounts: [] });
    for (const [index, row] of rows.entries()) {
      const found = keys[index];
      assert.ok(found?.type === 'posted');
      assert.deepEqual(found.posting, row.posting);
      assert.equal(found.hash, row.hash);
      assert.equal(JSON.stringify(found.posting.detail), JSON.stringify(row.posting.detail));
    }
  });

  it('restores from the newest row alone where that says it all', async () => {
    const accountId = newAccountId();
    await write(rowsOf(accountId, [{ baseVersion: 0 }, { baseVersion: 0 }, { heldAfter: 0 }]));
    const base = { version: 3, balance: 30, held: 0, lastAtMs: 1_700_000_000_126 };
    assert.deepEqual(await recordsOf(accountId), [{ base, tail: [], hash: linkOf(3) }]);
  });

  it('restores from the opened account and all its rows', async () => {
    const accountId = newAccountId();
    const rows = rowsOf(accountId, [
      { baseVersion: 0, detail: { lots: [[20_000, 10]] } },
      { kind: 'hold', baseVersion: 0, heldAfter: 5, detail: { lots: [[20_000, -5]], hold_expires_ms: 5 } },
    ]);
    await write(rows);
    assert.deepEqual(await recordsOf(accountId), [{ base: null, tail: kept(rows), hash: linkOf(2) }]);
  });

  it('restores from a row that says it all and the rows after it, oldest first', async () => {
    const [accountId, stranger] = [newAccountId(), newAccountId()];
    const rows = rowsOf(
      accountId,
      Array.from({ length: 9 }, (_, index) => (index < 4 ? {} : { baseVersion: 4, detail: { reason: `${index}` } })),
    );
    await write(rows.slice(0, 6), [...rows.slice(6), ...rowsOf(stranger, [{}, {}, {}, {}, {}, {}])]);
    const base = { version: 4, balance: 40, held: 0, lastAtMs: 1_700_000_000_127 };
    const [unknown, record] = await recordsOf(newAccountId(), accountId);
    assert.equal(unknown, null);
    assert.deepEqual(record, { base, tail: kept(rows.slice(4)), hash: linkOf(9) });
  });

  it('restores from a checkpoint and the rows after it, also where there are none yet', async () => {
    const accountId = newAccountId();
    const checkpoint = `{"version":3,"reason":"\\"{,}\\\\ 🎁"}`;
    const rows = rowsOf(accountId, [
      { baseVersion: 0 },
      { baseVersion: 0 },
      { baseVersion: 3, checkpoint },
      { baseVersion: 3 },
      { baseVersion: 3 },
    ]);
    await write(rows.slice(0, 3));
    assert.deepEqual(await recordsOf(accountId), [{ base: checkpoint, tail: [], hash: linkOf(3) }]);
    await write(rows.slice(3));
    assert.deepEqual(await recordsOf(accountId), [{ base: checkpoint, tail: kept(rows.slice(3)), hash: linkOf(5) }]);
  });

  it('keeps the last due moment of each account, and none where nothing is due any more', async () => {
    const [one, two, three] = [newAccountId(), newAccountId(), newAccountId()];
    await write([
      ...rowsOf(one, [{ due: { atMs: DUE_MS + 9_000 } }, {}, { due: { atMs: DUE_MS + 2 } }, {}]),
      ...rowsOf(two, [{ due: { atMs: DUE_MS } }]),
      ...rowsOf(three, [{ due: { atMs: DUE_MS } }, { due: { atMs: null } }]),
    ]);
    const first = { accountId: two, programId, dueAtMs: DUE_MS };
    const second = { accountId: one, programId, dueAtMs: DUE_MS + 2 };
    const { due } = opened();
    assert.deepEqual(await due(DUE_MS - 1, 10), []);
    assert.deepEqual(await due(DUE_MS, 10), [first]);
    assert.deepEqual(await due(DUE_MS + 2, 10), [first, second]);
    assert.deepEqual(await due(DUE_MS + 2, 1), [first]);
    await write(
      [posted(two, 2, { programId }, { due: { atMs: null } }), posted(one, 5, { programId }, { due: null })],
      [posted(one, 6, { programId }, { due: { atMs: DUE_MS + 1 } })],
    );
    assert.deepEqual(await due(DUE_MS + 9_999, 10), [{ ...second, dueAtMs: DUE_MS + 1 }]);
    await write([posted(one, 7, { programId }, { due: { atMs: null } })]);
    assert.deepEqual(await due(DUE_MS + 9_999, 10), []);
  });

  it('writes neither checkpoint nor due moment of a batch that is refused, superseded, or sent again', async () => {
    const { store, due, claimed } = opened();
    const accountId = newAccountId();
    const told = { due: { atMs: DUE_MS }, checkpoint: '{"first":1}', baseVersion: 1 };
    const writer = await claimed();
    const next = { ...writer, batch: writer.batch + 1 };
    const culprit = posted(newAccountId(), 1, { reference: 'a\0b' });
    await assert.rejects(
      store.commit(batchOf(next, { posted: [posted(accountId, 1, { programId }, told), culprit] })),
      (cause) => cause instanceof StoreFailure && cause.outcome === 'refused',
    );
    const stale = batchOf({ ...next, epoch: writer.epoch - 1 }, { posted: rowsOf(accountId, [told]) });
    assert.equal(await store.commit(stale), false);
    assert.deepEqual(await recordsOf(accountId), [null]);
    assert.deepEqual(await due(DUE_MS, 10), []);

    const first = batchOf(next, { posted: rowsOf(accountId, [told]) });
    assert.equal(await store.commit(first), true);
    const later = posted(accountId, 2, { programId }, { due: { atMs: null }, baseVersion: 1 });
    assert.equal(await store.commit(batchOf({ ...next, batch: next.batch + 1 }, { posted: [later] })), true);
    assert.equal(await store.commit(first), false);
    assert.deepEqual(await due(DUE_MS, 10), []);
    assert.deepEqual(await recordsOf(accountId), [{ base: '{"first":1}', tail: kept([later]), hash: linkOf(2) }]);
  });

  it('finds keys and records side by side, 200 accounts with a checkpoint and a tail of 64', async () => {
    const accounts = Array.from({ length: 200 }, newAccountId);
    const rows = accounts.map((accountId) =>
      rowsOf(accountId, [
        { baseVersion: 1, checkpoint: `"of ${accountId}"`, due: { atMs: null } },
        ...Array.from({ length: 64 }, () => ({ baseVersion: 1 })),
      ]),
    );
    for (let batch = 0; batch < 20; batch++) await write(rows.slice(batch * 10, batch * 10 + 10).flat());
    const keys = rows.map((of) => facts(of[0]?.facts.accountId as AccountId, 'key-40'));
    const findings = await opened().store.lookUp({ keys, accounts });
    for (const [index, accountId] of accounts.entries()) {
      const found = findings.keys[index];
      assert.ok(found?.type === 'posted');
      assert.deepEqual([found.facts.accountId, found.posting.version], [accountId, 40]);
      const record = findings.accounts[index];
      assert.equal(record?.base, `"of ${accountId}"`);
      assert.deepEqual(
        record.tail.map(({ version }) => version),
        Array.from({ length: 64 }, (_, tail) => tail + 2),
      );
    }
  });
}
