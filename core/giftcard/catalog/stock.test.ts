/** The stock of items on real Postgres: once per key, never below zero, whoever asks at once. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { type CatalogItemId, type RequestId, uuidV7 } from '@local-plus/contracts';
import { startDatabase, type TestDatabase } from '../../test/database.ts';
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
    stock = catalogStock(database.pool({ connectionsMax: 8 }), Date.now);
    elsewhere = catalogStock(database.pool({ connectionsMax: 8 }), Date.now);
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

  it('is given back once, and never by a key that took nothing', async () => {
    const id = await item(3);
    const [mine, other] = [key(), key()];
    assert.deepEqual(await stock.take(id, 3, mine, cause), taken);
    assert.deepEqual(await stock.take(id, 1, other, cause), refused('out_of_stock'));
    await Promise.all(Array.from({ length: 20 }, () => stock.giveBack(id, mine, cause)));
    assert.equal(String(await left(id)), '3');
    assert.deepEqual(await stock.take(id, 3, mine, cause), refused('given_back'));
    await stock.giveBack(id, other, cause);
    assert.deepEqual(await elsewhere.take(id, 1, other, cause), refused('given_back'), 'not even later');
    assert.equal(String(await left(id)), '3');
    const events =
      await database.sql`select payload->'data' as data from outbox where aggregate_id = ${id} order by place`;
    assert.deepEqual(
      events.map(({ data }) => data.in_stock),
      [false, true],
    );
  });

  it('is taken and given back at once by one key: taken back, or never taken', async () => {
    const id = await item(50);
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        const each = key();
        await Promise.all([stock.take(id, 1, each, cause), elsewhere.giveBack(id, each, cause)]);
      }),
    );
    assert.equal(String(await left(id)), '50');
  });

  it('moves the generation when it runs out and when it is there again, and not before', async () => {
    const id = await item(2);
    const generation = async () => (await database.sql`select generation from catalog_generation`)[0]?.['generation'];
    const told = [await generation()];
    const [mine, other] = [key(), key()];
    for (const step of [
      () => stock.take(id, 1, mine, cause),
      () => stock.take(id, 1, other, cause),
      () => stock.giveBack(id, other, cause),
      () => stock.giveBack(id, mine, cause),
    ]) {
      await step();
      told.push(await generation());
    }
    assert.deepEqual(
      told.slice(1).map((now, index) => now !== told[index]),
      [false, true, true, false],
    );
  });

  it('that is not counted has enough for everybody, once for a key', async () => {
    const id = await item(null);
    const mine = key();
    assert.deepEqual(await stock.take(id, 1_000_000, mine, cause), taken);
    assert.deepEqual(await stock.take(id, 1_000_000, mine, cause), { type: 'taken', replayed: true });
    assert.deepEqual(await stock.take(id, 2, mine, cause), { type: 'key_reused' });
    await database.sql`update catalog_items set stock = 5 where id = ${id}`;
    await stock.giveBack(id, mine, cause);
    assert.equal(String(await left(id)), '5', 'what was never counted is not given back');
  });

  it('is taken of what is published only', async () => {
    for (const status of ['draft', 'withdrawn']) {
      assert.deepEqual(await stock.take(await item(1, status), 1, key(), cause), refused('not_published'));
    }
    assert.deepEqual(await stock.take(randomUUID() as CatalogItemId, 1, key(), cause), refused('not_found'));
  });
});
