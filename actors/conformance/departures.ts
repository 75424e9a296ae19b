/** The part of the suite that is about departures: transfers across lanes are open from their commit until they are closed. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { IdempotencyKey } from '@local-plus/contracts';
import type { PostingDetail } from '../account/model.ts';
import { type LedgerStore, type PostedRow, StoreFailure } from '../ports.ts';
import type { OpenTransfer } from '../transfers/sweep.ts';
import { batchOf, newAccountId, posted } from './rows.ts';

interface Opened {
  readonly store: LedgerStore;
  readonly fixture: {
    openTransfers(transfersMax: number): Promise<readonly OpenTransfer[]>;
    closeTransfer(departure: PostedRow): Promise<unknown>;
  };
  readonly claimed: () => Promise<{ writerId: number; epoch: number; batch: number }>;
}

const across = true;

function transferOut(detail: PostingDetail, version = 1): PostedRow {
  const moved = { kind: 'transfer_out', balanceDelta: -10, balanceAfter: 0, detail } as const;
  const about = { reference: 'gift "7"', idempotencyKey: `key ${version}` as IdempotencyKey };
  return posted(newAccountId(), version, about, moved);
}

export function departureCases(opened: () => Opened): void {
  const openOf = async (rows: readonly PostedRow[]): Promise<number[]> => {
    const open = await opened().fixture.openTransfers(10_000);
    const places = open.map(({ row }) => rows.findIndex((one) => one.facts.accountId === row.facts.accountId));
    return places.filter((place) => place >= 0);
  };

  it('has open what departs, whole, in the order of commits, until it is closed; twice does no harm', async () => {
    const { store, fixture, claimed } = opened();
    const partner = newAccountId();
    const rows = [transferOut({ partner, across, lots: [[7, -3]] }), transferOut({ partner }), posted(partner, 1)];
    const later = transferOut({ partner, across }, 3);
    const writer = await claimed();
    const next = { ...writer, batch: writer.batch + 1 };
    assert.equal(await store.commit(batchOf(next, { posted: rows })), true);
    const after = { ...writer, batch: writer.batch + 2 };
    assert.equal(await store.commit(batchOf(after, { posted: [posted(later.facts.accountId, 1)] })), true);
    const rest = [posted(later.facts.accountId, 2), later];
    assert.equal(await store.commit(batchOf({ ...writer, batch: writer.batch + 3 }, { posted: rest })), true);
    const all = [...rows, later];
    assert.deepEqual(await openOf(all), [0, 3]);
    const [departure] = all as [PostedRow];
    const open = await fixture.openTransfers(10_000);
    const found = open.find(({ row }) => row.facts.accountId === departure.facts.accountId);
    assert.deepEqual([found?.row.facts, found?.row.posting], [departure.facts, departure.posting]);
    const { keys } = await store.lookUp({ keys: [departure.facts], accounts: [] });
    assert.ok(keys[0]?.type === 'posted');
    assert.equal(found?.transactionId, keys[0].transactionId);
    assert.equal((await fixture.openTransfers(1)).length, 1);

    await fixture.closeTransfer(departure);
    await fixture.closeTransfer(departure);
    assert.deepEqual(await openOf(all), [3]);
    await fixture.closeTransfer(later);
    await fixture.closeTransfer(transferOut({ partner, across }));
    assert.deepEqual(await openOf(all), []);
  });

  it('opens nothing of a batch that is refused, superseded, or sent again', async () => {
    const { store, fixture, claimed } = opened();
    const departure = transferOut({ partner: newAccountId(), across });
    const writer = await claimed();
    const next = { ...writer, batch: writer.batch + 1 };
    const culprit = posted(newAccountId(), 1, { reference: 'a\0b' });
    await assert.rejects(
      store.commit(batchOf(next, { posted: [departure, culprit] })),
      (cause) => cause instanceof StoreFailure && cause.outcome === 'refused',
    );
    assert.equal(await store.commit(batchOf({ ...next, epoch: writer.epoch - 1 }, { posted: [departure] })), false);
    assert.deepEqual(await openOf([departure]), []);
    const batch = batchOf(next, { posted: [departure] });
    assert.equal(await store.commit(batch), true);
    assert.deepEqual(await openOf([departure]), [0]);
    await fixture.closeTransfer(departure);
    assert.equal(await store.commit(batch), false);
    assert.deepEqual(await openOf([departure]), []);
  });
}
