/**
 * Placing the ledger's shards in its databases: once, before anything is written. Beside the migrations, not in them: the
 * schema is the same everywhere, and only the settings know which databases there are.
 *
 * - D3 nobody may own a shard of another database. Both databases' steps are transactions that hold back every claim and
 *   batch (the lock on `writers`), find that nothing was ever committed, and raise the epoch of whoever has claimed: as in a
 *   takeover, a process that was there before is fenced before its shards are anybody else's (I7).
 * - D4 the first database is first: what it says is the placement. Whoever is killed in between runs it again; a database
 *   without its identity serves nobody (D2).
 */
import { shards as contract } from '@local-plus/contracts';
import { inTransaction, type Run } from '../platform/postgres/index.ts';

/** In words for the person who runs the migration. */
export class PlacingError extends Error {
  override readonly name = 'PlacingError';
}

/**
 * Even parts for all. Does nothing where it was done.
 *
 * @param urls every database by its id, the first one included; migrated
 */
export async function placeShards(urls: ReadonlyMap<number, string>, connectMs: number): Promise<void> {
  const ids = [...urls.keys()].sort((left, right) => left - right);
  const first = urls.get(contract.firstDatabase) as string;
  const options = { name: 'place shards', connectMs };
  const further = [...urls].filter(([id]) => id !== contract.firstDatabase);
  // Before the first one is changed: what cannot be used is told while nothing has been decided for ever.
  for (const [id, url] of further) await inTransaction({ ...options, url }, (run) => isIdentified(run, id));
  const placed = await inTransaction({ ...options, url: first }, (run) => placeIn(run, ids));
  for (const [id, url] of further) {
    const own = placed.flatMap((databaseId, shard) => (databaseId === id ? [shard] : []));
    await inTransaction({ ...options, url }, (run) => identify(run, id, own));
  }
}

/** @returns the database of each shard */
async function placeIn(run: Run, ids: readonly number[]): Promise<readonly number[]> {
  await run('lock table writers in share row exclusive mode');
  const rows = await run('select shard_id, database_id from shard_databases order by shard_id');
  if (rows.length > 0) {
    const placed = rows.map((row) => Number(row['database_id']));
    const known = [...new Set(placed)].sort((left, right) => left - right);
    if (known.join() === ids.join()) return placed;
    throw new PlacingError(
      `The ledger's shards are in the databases ${known.join(', ')} for ever, and the settings name ${ids.join(', ')}.`,
    );
  }
  if (ids.length === 1) return [];
  const placed = Array.from({ length: contract.shardCount }, (_, shard) => ids[shard % ids.length] as number);
  const values = placed.map((databaseId, shard) => `(${shard}, ${databaseId})`).join(', ');
  const own = placed.flatMap((databaseId, shard) => (databaseId === contract.firstDatabase ? [shard] : []));
  await identify(run, contract.firstDatabase, own);
  await run(`insert into shard_databases (shard_id, database_id) values ${values}`);
  return placed;
}

/** Leaves the database its own shards, and says which one it is. */
async function identify(run: Run, id: number, own: readonly number[]): Promise<void> {
  await run('lock table writers in share row exclusive mode');
  if (await isIdentified(run, id)) return;
  await run('update writers set epoch = epoch + 1');
  await run(`delete from shards where not (id = any (array[${own.join(', ')}]::smallint[]))`);
  // Where writer 1 is another database's, nobody owns them: whoever comes first takes them as from one that is gone.
  if (id !== contract.firstDatabase) await run(`update shards set writer_id = ${contract.nobody}`);
  await run(`insert into ledger_database (id) values (${id})`);
}

/** False: it is none of the ledger yet, and can become one. Rejects when it cannot, or is another one. */
async function isIdentified(run: Run, id: number): Promise<boolean> {
  const [known] = await run('select id from ledger_database');
  if (known !== undefined) {
    if (Number(known['id']) === id) return true;
    throw new PlacingError(`What the settings call database ${id} is the ledger's database ${String(known['id'])}.`);
  }
  const [used] = await run(`
    select exists (select from transactions) or exists (select from writers where batch > 0) as used`);
  if (used?.['used'] !== true) return false;
  throw new PlacingError(
    `Database ${id} has transactions already: shards are placed once, before the first one, and never moved.`,
  );
}
