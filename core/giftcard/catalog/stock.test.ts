/** The stock of items on real Postgres: once per key, never below zero, whoever asks at once. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { type CatalogItemId, type RequestId, uuidV7 } from '@local-plus/contracts';
import { startDatabase, type TestDatabase } from '../../test/database.ts';
import { eventually } from '../../test/stack.ts';
import { catalogStock, type Stock, type Take } from './stock.ts';

const cause = { requestId: randomUUID() as RequestId, traceparent: null };
const refused = (reason: string) => ({ type: 'refused', reason });
const taken = { type: 'taken', replayed: false };

describe('the stock of an item', () => {
  let database: TestDatabase;
  let stock: Stock;
  /** Of another process, as it were. */
  let elsewhere: Stock;

  before(async () => {
    database = await startDatabase();
    // Two thousand wait for one row: how long a statement may wait for its turn is another test's business.
    const bounds = { connectionsMax: 8, statementMs: 60_000 };
    stock = catalogStock(database.pool(bounds), Date.now);
    elsewhere = catalogStock(database.pool(bounds), Date.now);
  });
  after(() => database.close());

  async function item(left: number | null, status = 'published'): Promise<CatalogItemId> {
    const id = uuidV7<CatalogItemId>(Date.now());
    await database.sql`insert into catalog_items
      (id, name, brand, currency, denominations, stock, status, creator, idempotency_key, request_hash)
      values (${id}, 'N', 'B', 'EUR', '{1}', ${left}, ${status}, ${id}, 'k', '')`;
    return id;
  }
  const left = async (id: string) =>
    (await database.sql`select stock from catalog_items where id = ${id}`)[0]?.['stock'];
  const key = () => `test ${randomUUID()}`;

  it('is never taken twice, nor below zero, by 1,000 who take at once, each twice', async () => {
    const id = await item(600);
    const keys = Array.from({ length: 1_000 }, key);
    const first = keys.map((each) => stock.take(id, 1, each, cause));
    const second = keys.map((each) => elsewhere.take(id, 1, each, cause));
    const [one, other] = [await Promise.all(first), await Promise.all(second)];
    const won = (takes: readonly Take[]) => takes.filter((take) => take.type === 'taken').length;
    const fresh = [...one, ...other].filter((take) => take.type === 'taken' && !take.replayed).length;
    assert.deepEqual([fresh, String(await left(id))], [600, '0']);
    for (const [index, take] of one.entries()) {
      // Who was refused may have been too early by a key that took in between, and the reverse: never both of a key anew.
      const again = other[index] as Take;
      assert.ok(!(take.type === 'taken' && again.type === 'taken') || take.replayed !== again.replayed);
    }
    assert.ok(won(one) <= 600 && won(other) <= 600);
    const [rows] = await database.sql`select count(*)::int as count from catalog_takes where item_id = ${id}`;
    assert.equal(rows?.['count'], 600);
    const events = await database.sql`select payload->'data' as data from outbox where aggregate_id = ${id}`;
    assert.deepEqual(
      events.map(({ data }) => data),
      [{ id, in_stock: false }],
      'it ran out once',
    );
  });

  it('is taken by the stock as it is when the item is free, not as it was when it was asked for', async () => {
    for (const [before, after, left_] of [
      [0, null, null],
      [null, 5, '4'],
      [0, 5, '4'],
      [5, 0, '0'],
      [null, 0, '0'],
    ] as const) {
      const id = await item(before);
      const mine = key();
      let taking: Promise<Take> | undefined;
      await database.sql.begin(async (sql) => {
        await sql`update catalog_items set stock = ${after} where id = ${id}`;
        taking = stock.take(id, 1, mine, cause);
        await eventually('it waits for the item', async () => {
          const [row] = await database.sql`select count(*)::int as waiting from pg_locks where not granted`;
          return row?.['waiting'] > 0;
        });
      });
      assert.deepEqual(await taking, after === 0 ? refused('out_of_stock') : taken, `${before} → ${after}`);
      const now = await left(id);
      assert.equal(now === null ? null : String(now), left_);
      const [row] = await database.sql`select counted from catalog_takes where key = ${mine}`;
      assert.equal(row?.['counted'], after === 0 ? undefined : after !== null);
    }
  });

  it('moves the generation when it runs out, and not before', async () => {
    const id = await item(2);
    const generation = async () => (await database.sql`select generation from catalog_generation`)[0]?.['generation'];
    const told = [await generation()];
    const [mine, other] = [key(), key()];
    for (const step of [() => stock.take(id, 1, mine, cause), () => stock.take(id, 1, other, cause)]) {
      await step();
      told.push(await generation());
    }
    assert.deepEqual(
      told.slice(1).map((now, index) => now !== told[index]),
      [false, true],
    );
  });

  it('that is not counted has enough for everybody, once for a key', async () => {
    const id = await item(null);
    const mine = key();
    assert.deepEqual(await stock.take(id, 1_000_000, mine, cause), taken);
    assert.deepEqual(await stock.take(id, 1_000_000, mine, cause), { type: 'taken', replayed: true });
    assert.deepEqual(await stock.take(id, 2, mine, cause), { type: 'key_reused' });
    assert.equal(await left(id), null);
  });

  it('is taken of what is published only', async () => {
    for (const status of ['draft', 'withdrawn']) {
      assert.deepEqual(await stock.take(await item(1, status), 1, key(), cause), refused('not_published'));
    }
    assert.deepEqual(await stock.take(randomUUID() as CatalogItemId, 1, key(), cause), refused('not_found'));
  });
});
