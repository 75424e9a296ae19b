/**
 * What every ledger store must do. One suite; each adapter runs it:
 *
 *     ledgerStoreConformance('memory', async () => ({ connect: () => ledger.connect(), due, … close }))
 *
 * A fixture's connections share one database, so that a writer and its successor can meet.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { decodeTransactionId, type IdempotencyKey, limits } from '@local-plus/contracts';
import { type DueAccount, type LedgerStore, type PostedRow, StoreFailure } from '../ports.ts';
import type { OpenTransfer } from '../transfers/sweep.ts';
import { departureCases } from './departures.ts';
import { recordCases } from './records.ts';
import { batchOf, facts, newAccountId, posted, refused } from './rows.ts';

export { batchOf, facts, newAccountId, posted, refused } from './rows.ts';

export interface StoreFixture {
  connect(): LedgerStore;
  /** What the sweep asks: accounts that have something due at `nowMs`, the longest due first. */
  due(nowMs: number, accountsMax: number): Promise<readonly DueAccount[]>;
  /** What the sweep of transfers asks: departures that are open, the oldest first. */
  openTransfers(transfersMax: number): Promise<readonly OpenTransfer[]>;
  closeTransfer(departure: PostedRow): Promise<unknown>;
  close(): Promise<void>;
}

const writerId = 7;

export function ledgerStoreConformance(name: string, open: () => Promise<StoreFixture>): void {
  describe(`ledger store: ${name}`, () => {
    let fixture: StoreFixture;
    let store: LedgerStore;
    before(async () => {
      fixture = await open();
      store = fixture.connect();
    });
    after(async () => {
      await store.reset('writes');
      await store.reset('reads');
      await fixture.close();
    });

    const claimed = async () => ({ writerId, ...(await store.claim(writerId)) });
    const next = (writer: { epoch: number; batch: number }) => ({ writerId, ...writer, batch: writer.batch + 1 });
    const lookUpKey = async (accountId: ReturnType<typeof newAccountId>, key: string) => {
      const findings = await store.lookUp({
        keys: [{ accountId, idempotencyKey: key as IdempotencyKey }],
        accounts: [],
      });
      return findings.keys[0];
    };

    it('raises the epoch with every claim and keeps the batch', async () => {
      const first = await store.claim(writerId);
      const second = await store.claim(writerId);
      assert.equal(second.epoch, first.epoch + 1);
      assert.equal(second.batch, first.batch);
      assert.deepEqual(await store.position(writerId), second);
    });

    it('raises a held epoch, once, and only for who holds it', async () => {
      const held = await claimed();
      const raised = await store.raise(writerId, held.epoch);
      assert.deepEqual(raised, { epoch: held.epoch + 1, batch: held.batch });
      assert.equal(await store.raise(writerId, held.epoch), null);
      assert.deepEqual(await store.position(writerId), raised);
      const accountId = newAccountId();
      assert.equal(await store.commit(batchOf(next(held), { posted: [posted(accountId, 1)] })), false);
      assert.deepEqual((await store.lookUp({ keys: [], accounts: [accountId] })).accounts, [null]);
    });

    it('executes writes in the order of their calls: a batch and its successor, both under way', async () => {
      const writer = await claimed();
      const accountId = newAccountId();
      const successor = { ...next(writer), batch: writer.batch + 2 };
      const replies = await Promise.all([
        store.commit(batchOf(next(writer), { posted: [posted(accountId, 1)] })),
        store.commit(batchOf(successor, { posted: [posted(accountId, 2)] })),
      ]);
      assert.deepEqual(replies, [true, true]);
      assert.deepEqual(await store.position(writerId), { epoch: writer.epoch, batch: writer.batch + 2 });
    });

    it('applies nothing on top of a batch that is refused while its successor is under way', async () => {
      const writer = await claimed();
      const [accountId, bystander] = [newAccountId(), newAccountId()];
      const successor = { ...next(writer), batch: writer.batch + 2 };
      const [refusal, reply] = await Promise.allSettled([
        store.commit(batchOf(next(writer), { posted: [posted(newAccountId(), 1, { reference: 'a\0b' })] })),
        store.commit(batchOf(successor, { posted: [posted(bystander, 1)] })),
      ]);
      assert.ok(refusal.status === 'rejected' && refusal.reason instanceof StoreFailure);
      assert.equal(refusal.reason.outcome, 'refused');
      assert.deepEqual(reply, { status: 'fulfilled', value: false });
      assert.deepEqual((await store.lookUp({ keys: [], accounts: [bystander] })).accounts, [null]);
      assert.equal(await store.commit(batchOf(next(writer), { posted: [posted(accountId, 1)] })), true);
    });

    it('commits a batch once: the same batch again is not applied and changes nothing', async () => {
      const writer = await claimed();
      const accountId = newAccountId();
      const batch = batchOf(next(writer), { posted: [posted(accountId, 1), posted(accountId, 2)] });
      assert.equal(await store.commit(batch), true);
      assert.equal(await store.commit(batch), false);
      assert.deepEqual(await store.position(writerId), { epoch: writer.epoch, batch: writer.batch + 1 });
      const findings = await store.lookUp({ keys: [], accounts: [accountId] });
      assert.deepEqual(findings.accounts[0]?.base, { version: 2, balance: 20, held: 0, lastAtMs: 1_700_000_000_125 });
    });

    it('applies no batch that leaves one out', async () => {
      const writer = await claimed();
      const accountId = newAccountId();
      const gap = { writerId, epoch: writer.epoch, batch: writer.batch + 2 };
      assert.equal(await store.commit(batchOf(gap, { posted: [posted(accountId, 1)] })), false);
      assert.deepEqual((await store.lookUp({ keys: [], accounts: [accountId] })).accounts, [null]);
    });

    it('I7: writes nothing for a superseded writer', async () => {
      const old = await claimed();
      const successor = fixture.connect();
      const now = await successor.claim(writerId);
      const accountId = newAccountId();
      const late = batchOf(next(old), { posted: [posted(accountId, 1)], refused: [refused(accountId, 'late')] });
      assert.equal(await store.commit(late), false);
      assert.deepEqual((await successor.lookUp({ keys: [], accounts: [accountId] })).accounts, [null]);
      assert.equal(await lookUpKey(accountId, 'late'), null);
      assert.deepEqual(await successor.position(writerId), now);
      await successor.reset('writes');
      await successor.reset('reads');
    });

    it('finds a transaction by its key, every field as it was written', async () => {
      const writer = await claimed();
      const accountId = newAccountId();
      const row = posted(accountId, 1, {
        reference: `quotes " ' \\ braces {a,b} NULL — ünï 🎁`,
        metadata: '{"b":"x\\"y","a":1,"c":true}',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      });
      const more = posted(newAccountId(), 1);
      await store.commit(batchOf(next(writer), { posted: [more, row] }));
      const found = await lookUpKey(accountId, 'key-1');
      assert.ok(found?.type === 'posted');
      assert.deepEqual(found.facts, row.facts);
      assert.deepEqual(found.posting, row.posting);
      assert.deepEqual(decodeTransactionId(found.transactionId), {
        occurredAtMs: row.posting.occurredAtMs,
        position: { writerId, batch: writer.batch + 1, place: 1 },
      });
    });

    it('finds a refusal by its key, every field as it was written', async () => {
      const writer = await claimed();
      const row = refused(newAccountId(), `k,"{}\\'NULL`, 3);
      await store.commit(batchOf(next(writer), { refused: [row] }));
      const found = await lookUpKey(row.facts.accountId, row.facts.idempotencyKey);
      assert.ok(found?.type === 'refused');
      const { type: _type, facts: about, ...rest } = found;
      const { facts: wantedAbout, ...wanted } = row;
      assert.deepEqual(rest, wanted);
      assert.equal(about.requestHash, wantedAbout.requestHash);
      assert.equal(about.requestId, wantedAbout.requestId);
    });

    it('looks up what every answered batch wrote, aligned with the questions', async () => {
      const writer = await claimed();
      const [one, two, three] = [newAccountId(), newAccountId(), newAccountId()];
      await store.commit(batchOf(next(writer), { posted: [posted(one, 1)] }));
      const second = { ...next(writer), batch: writer.batch + 2 };
      const commit = store.commit(batchOf(second, { posted: [posted(two, 1)] }));
      const findings = await store.lookUp({
        keys: [facts(three, 'key-1'), facts(one, 'key-1'), facts(one, 'key-2')],
        accounts: [three, one],
      });
      assert.equal(await commit, true);
      assert.deepEqual(
        findings.keys.map((found) => found?.type ?? null),
        [null, 'posted', null],
      );
      assert.deepEqual(
        findings.accounts.map((record) => record?.base ?? null),
        [null, { version: 1, balance: 10, held: 0, lastAtMs: 1_700_000_000_124 }],
      );
    });

    it('refuses a batch whole when one row cannot be: nothing is written, and the writer can go on', async () => {
      const writer = await claimed();
      const accountId = newAccountId();
      const taken = posted(accountId, 1);
      await store.commit(batchOf(next(writer), { posted: [taken] }));
      const second = { writerId, epoch: writer.epoch, batch: writer.batch + 2 };
      const bystander = newAccountId();
      const culprits = [
        posted(accountId, 1, { idempotencyKey: 'other' as IdempotencyKey }),
        posted(accountId, 2, { idempotencyKey: taken.facts.idempotencyKey }),
        posted(newAccountId(), 1, { reference: 'a\0b' }),
        posted(accountId, 2, {}, { amount: -1 }),
        posted(accountId, 2, {}, { amount: limits.amountMax + 1 }),
        posted(accountId, 2, {}, { heldAfter: -1 }),
      ];
      for (const culprit of culprits) {
        await assert.rejects(
          store.commit(batchOf(second, { posted: [posted(bystander, 1), culprit] })),
          (cause) => cause instanceof StoreFailure && cause.outcome === 'refused',
        );
        assert.deepEqual((await store.lookUp({ keys: [], accounts: [bystander] })).accounts, [null]);
      }
      assert.equal(await store.commit(batchOf(second, { posted: [posted(bystander, 1)] })), true);
    });

    it('refuses an optimistic batch with a key that was used, by a transaction or a refusal; the writer can go on', async () => {
      const writer = await claimed();
      const [accountId, other] = [newAccountId(), newAccountId()];
      const [moved, denied] = [posted(accountId, 1), refused(accountId, 'denied')];
      const first = batchOf(next(writer), { posted: [moved], refused: [denied], isOptimistic: true });
      assert.equal(await store.commit(first), true);
      assert.equal(await store.commit(first), false, 'sent again, it is not in its own way');
      const second = { writerId, epoch: writer.epoch, batch: writer.batch + 2 };
      const fresh = posted(other, 1);
      const again = [
        { posted: [fresh, posted(accountId, 2, { idempotencyKey: denied.facts.idempotencyKey })] },
        { posted: [fresh, posted(accountId, 2, { idempotencyKey: moved.facts.idempotencyKey })] },
        { posted: [fresh], refused: [refused(accountId, moved.facts.idempotencyKey)] },
        { posted: [fresh], refused: [refused(accountId, denied.facts.idempotencyKey)] },
      ];
      for (const rows of again) {
        await assert.rejects(
          store.commit(batchOf(second, { ...rows, isOptimistic: true })),
          (cause) => cause instanceof StoreFailure && cause.outcome === 'refused',
        );
        assert.deepEqual((await store.lookUp({ keys: [fresh.facts], accounts: [other] })).keys, [null]);
        assert.deepEqual(await store.position(writerId), { epoch: writer.epoch, batch: writer.batch + 1 });
      }
      // The same key of another account is another one.
      const elsewhere = posted(other, 1, { idempotencyKey: moved.facts.idempotencyKey });
      assert.equal(await store.commit(batchOf(second, { posted: [elsewhere], isOptimistic: true })), true);
      const stale = { ...second, epoch: writer.epoch - 1, batch: second.batch + 1 };
      assert.equal(
        await store.commit(batchOf(stale, { posted: [moved], isOptimistic: true })),
        false,
        'not ours any more',
      );
    });

    it('carries a full batch of 1,000 and as many look-ups', async () => {
      const writer = await claimed();
      const accounts = Array.from({ length: 1_000 }, newAccountId);
      const rows = accounts.map((accountId) => posted(accountId, 1));
      const keys = rows.map((row) => row.facts);
      const before = await store.lookUp({ keys, accounts });
      assert.ok(before.keys.every((found) => found === null));
      assert.equal(await store.commit(batchOf(next(writer), { posted: rows })), true);
      const after = await store.lookUp({ keys, accounts });
      assert.ok(after.keys.every((found) => found?.type === 'posted'));
      assert.ok(after.accounts.every((record) => record !== null && record.tail.length === 0));
    });

    departureCases(() => ({ store, fixture, claimed }));

    recordCases(() => ({ store, due: (nowMs, accountsMax) => fixture.due(nowMs, accountsMax), claimed }));

    it('goes on after a reset', async () => {
      const writer = await claimed();
      await store.reset('writes');
      await store.reset('reads');
      const accountId = newAccountId();
      assert.equal(await store.commit(batchOf(next(writer), { posted: [posted(accountId, 1)] })), true);
    });
  });
}
