/**
 * The tables `catalog_items` and `catalog_generation`. SQL only. Whatever changes an item moves the generation in the same
 * statement.
 */
import type { CatalogItemId, catalog } from '@local-plus/contracts';
import { type Creation, type CreationKey, createOnce, type Database } from '../platform/postgres/index.ts';

export interface CatalogRow {
  readonly id: CatalogItemId;
  readonly name: string;
  readonly brand: string;
  readonly currency: string;
  readonly denominations: number[];
  readonly status: catalog.CatalogItem['status'];
  readonly created_at: Date;
  readonly request_hash: string;
}

const columns = `id, name, brand, currency, to_json(denominations) as denominations, status, created_at,
  encode(request_hash, 'hex') as request_hash`;
const insertStatement = `with written as (
    insert into catalog_items (creator, idempotency_key, request_hash, id, name, brand, currency, denominations)
    values ($1, $2, decode($3, 'hex'), $4, $5, $6, $7, ($8::text[])::bigint[])
    on conflict do nothing returning ${columns}
  ), moved as (
    update catalog_generation
    set generation = greatest(generation + 1, (extract(epoch from clock_timestamp()) * 1000)::bigint)
    where exists (select from written)
  ) select * from written`;
const generationStatement = 'select generation from catalog_generation';
const byKeyStatement = `select ${columns} from catalog_items where creator = $1 and idempotency_key = $2`;
const byIdStatement = `select ${columns} from catalog_items where id = $1`;
const newestStatement = `select ${columns} from catalog_items where status = 'published' order by id desc limit $1`;
const beforeStatement = `select ${columns} from catalog_items
  where status = 'published' and id < $2 order by id desc limit $1`;

export class CatalogStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  create(
    key: CreationKey,
    row: Pick<CatalogRow, 'id' | 'name' | 'brand' | 'currency' | 'denominations'>,
  ): Promise<Creation<CatalogRow>> {
    const { creator, idempotencyKey, requestHash } = key;
    const { id, name, brand, currency, denominations } = row;
    const values = [creator, idempotencyKey, requestHash, id, name, brand, currency, denominations.map(String)];
    return createOnce(
      key,
      () => this.#database.write<CatalogRow>(insertStatement, values),
      () => this.#database.read<CatalogRow>(byKeyStatement, [creator, idempotencyKey]),
    );
  }

  async generation(): Promise<number> {
    const [row] = await this.#database.read<{ generation: number }>(generationStatement);
    if (row === undefined) throw new Error('catalog_generation has no row');
    return row.generation;
  }

  async item(id: CatalogItemId): Promise<CatalogRow | null> {
    return (await this.#database.read<CatalogRow>(byIdStatement, [id]))[0] ?? null;
  }

  /** Newest first; ids are in the order of time. */
  newest(rowsMax: number): Promise<readonly CatalogRow[]> {
    return this.#database.read<CatalogRow>(newestStatement, [rowsMax]);
  }

  before(id: CatalogItemId, rowsMax: number): Promise<readonly CatalogRow[]> {
    return this.#database.read<CatalogRow>(beforeStatement, [rowsMax, id]);
  }
}
