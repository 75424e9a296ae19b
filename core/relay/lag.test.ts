import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Lag } from './lag.ts';
import type { Backlog } from './store.ts';

/** One row per batch, as committed so far; a read answers when it is told to. */
class Ledger {
  committed = 0;
  answer: () => void = () => undefined;

  readonly read = (cursor: number): Promise<Backlog> => {
    const seen = { newest: this.committed, rows: this.committed - cursor };
    return new Promise((resolve) => {
      this.answer = () => resolve(seen);
    });
  };

  commit(): number {
    return ++this.committed;
  }
}

describe('the lag', () => {
  it('counts what is offered during a read once, be it in the snapshot or after it', async () => {
    const ledger = new Ledger();
    const lag = new Lag();
    lag.offered(ledger.commit(), 1);
    const late = ledger.commit();
    const read = lag.readFrom(0, ledger.read);
    lag.offered(late, 1);
    lag.offered(ledger.commit(), 1);
    ledger.answer();
    await read;
    assert.deepEqual([lag.newest, lag.transactions], [3, 3]);
    lag.offered(ledger.commit(), 1);
    assert.equal(lag.transactions, 4);
  });

  it('counts on after what is known when nobody offers', async () => {
    const ledger = new Ledger();
    const lag = new Lag();
    lag.offered(ledger.commit(), 1);
    ledger.commit();
    const read = lag.readOn(ledger.read);
    lag.offered(ledger.commit(), 1);
    ledger.answer();
    await read;
    assert.deepEqual([lag.newest, lag.transactions], [3, 3]);
    lag.published(2, 2);
    assert.equal(lag.transactions, 1);
    lag.published(5, 1);
    assert.deepEqual([lag.newest, lag.transactions], [5, 0]);
  });

  it('is what it was when the read fails', async () => {
    const lag = new Lag();
    lag.offered(1, 7);
    await assert.rejects(lag.readFrom(0, () => Promise.reject(new Error('away'))));
    assert.deepEqual([lag.newest, lag.transactions], [1, 7]);
  });
});
