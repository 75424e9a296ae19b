/**
 * The tables `catalog_items`, `catalog_changes` and `catalog_generation`. SQL only; every change is one statement, with its
 * event and its audit entry.
 */
import type { CatalogItemId } from '@local-plus/contracts';
import { audited } from '../../audit/index.ts';
import { announce } from '../../outbox/index.ts';
import {
  type Creation,
  type CreationKey,
  createOnce,
  type Database,
  operatorId,
  type Parameter,
  UniqueViolation,
} from '../../platform/postgres/index.ts';
import type { ItemChange } from './domain.ts';
import { moved } from './generation-statement.ts';
import { type ContentColumns, contentColumns, contentRecord, type ItemRow, itemColumns, rowOf } from './rows.ts';

/** What is written beside a change: both made before it. */
export interface Told {
  /** By `newEvent`. */
  readonly event: string;
  /** By `auditEntry`. */
  readonly audit: string;
}

export type NewItem = Pick<ItemRow, 'id' | 'merchant_id' | 'stock' | 'status'> & { readonly content: ContentColumns };

/** A change of one version of an item. */
export interface VersionChange {
  readonly id: CatalogItemId;
  readonly expectedVersion: number;
  readonly change:
    | { readonly kind: 'update'; readonly content: ContentColumns }
    | { readonly kind: 'publish' | 'withdraw'; readonly status: ItemRow['status'] };
  readonly at: Date;
  /** Whether everybody sees it. */
  readonly isSeen: boolean;
}

/** `none`: the key is used, or the item is not as expected any more. */
export type Changed = ItemRow | 'none';

/** An earlier change by its key: what it asked, and the item as it left it. */
export interface EarlierChange {
  readonly request_hash: string;
  readonly item_id: CatalogItemId;
  readonly kind: ItemChange;
  readonly item: ItemRow;
}

const insertStatement = `with written as (
    insert into catalog_items (creator, idempotency_key, request_hash, id, merchant_id, stock, status, ${contentColumns})
    select $1::uuid, $2, decode($3, 'hex'), $4::uuid, $5::uuid, $6::bigint, $7, ${contentColumns}
    from json_to_record($8::text::json) as content(${contentRecord})
    on conflict do nothing returning ${itemColumns}
  ), seen as (select 1 from written where status = 'published'),
  ${moved('seen')}, ${announce(9, 'seen')}, ${audited(10, 'written')}
  select * from written`;

/** Nothing is changed where the key is used, or the version is another one; of two with one key the later one fails. */
function changeStatement(kind: ItemChange, set: string): string {
  return `with changed as (
    update catalog_items set ${set}, version = version + 1, updated_at = $6
    where id = $4::uuid and version = $5::bigint
      and not exists (select from catalog_changes where creator = $1::uuid and idempotency_key = $2)
    returning ${itemColumns}
  ), seen as (select 1 from changed where $8::boolean),
  ${noted(kind)}, ${moved('seen')}, ${announce(9, 'seen')}, ${audited(10, 'changed')}
  select * from changed`;
}

function noted(kind: ItemChange): string {
  return `noted as (
    insert into catalog_changes (creator, idempotency_key, request_hash, item_id, kind, item)
    select $1::uuid, $2, decode($3, 'hex'), id, '${kind}', to_json(changed) from changed)`;
}

const setContent = `(${contentColumns}) =
  (select ${contentColumns} from json_to_record($7::text::json) as content(${contentRecord}))`;
const changeStatements = {
  update: changeStatement('update', setContent),
  publish: changeStatement('publish', 'status = $7'),
  withdraw: changeStatement('withdraw', 'status = $7'),
};

/** The lock comes first, so that what was there before is what is compared. */
const stockStatement = `with before as (
    select id as item, stock as was from catalog_items where id = $4::uuid and status <> 'withdrawn'
      and not exists (select from catalog_changes where creator = $1::uuid and idempotency_key = $2)
    for no key update
  ), changed as (
    update catalog_items set stock = case when $5 = 'set' then $6::bigint
      when was is not null then least(was + $6::bigint, $7::bigint) end
    from before where id = before.item and ($5 = 'set' or was is null or was + $6::bigint >= 0)
    returning ${itemColumns}, was
  ), gone as (select 1 from changed where status = 'published' and stock = 0 and was is distinct from 0),
  back as (select 1 from changed where status = 'published' and was = 0 and stock is distinct from 0),
  flipped as (select 1 from gone union all select 1 from back),
  ${noted('stock')}, ${moved('flipped')}, ${announce(8, 'gone')}, ${announce(9, 'back')}, ${audited(10, 'changed')}
  select * from changed`;

const createdStatement = `select ${itemColumns} from catalog_items where creator = $1::uuid and idempotency_key = $2`;
const earlierStatement = `select encode(request_hash, 'hex') as request_hash, item_id, kind, item from catalog_changes
  where creator = $1::uuid and idempotency_key = $2`;
const generationStatement = 'select generation from catalog_generation';
const touchStatement = `with touched as (select 1), ${moved('touched')} select 1`;
const byIdStatement = `select ${itemColumns} from catalog_items where id = $1::uuid`;
const ownedStatement = `select ${itemColumns} from catalog_items
  where coalesce(merchant_id, '${operatorId}') = $1::uuid and ($2::uuid is null or id < $2::uuid)
    and ($3::text is null or status = $3) and ($4::text is null or kind = $4)
  order by id desc limit $5::int`;

export class CatalogStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  create(key: CreationKey, item: NewItem, { event, audit }: Told): Promise<Creation<ItemRow>> {
    const { id, merchant_id, stock, status, content } = item;
    const named = [key.creator, key.idempotencyKey];
    const values = [key.requestHash, id, merchant_id, text(stock), status, JSON.stringify(content), event, audit];
    return createOnce(
      key,
      () => this.#database.write<ItemRow>(insertStatement, [...named, ...values]),
      () => this.#database.read<ItemRow>(createdStatement, named),
    );
  }

  change(key: CreationKey, wanted: VersionChange, { event, audit }: Told): Promise<Changed> {
    const { id, expectedVersion, change, at, isSeen } = wanted;
    const value = change.kind === 'update' ? JSON.stringify(change.content) : change.status;
    const values = [id, String(expectedVersion), at, value, isSeen, event, audit];
    return this.#change(changeStatements[change.kind], key, values);
  }

  /**
   * `none`: the key is used, the item is withdrawn, or it would be fewer than none.
   *
   * @param how `set`: to so many, null: any number; `add`: so many more, `stockMax` together at most
   * @param told of the item running out, and of its being there again
   */
  changeStock(
    key: CreationKey,
    id: CatalogItemId,
    how: { readonly type: 'set' | 'add'; readonly count: number | null; readonly stockMax: number },
    told: { readonly gone: string; readonly back: string; readonly audit: string },
  ): Promise<Changed> {
    const values = [id, how.type, text(how.count), String(how.stockMax), told.gone, told.back, told.audit];
    return this.#change(stockStatement, key, values);
  }

  async earlier(key: CreationKey): Promise<EarlierChange | null> {
    const named = [key.creator, key.idempotencyKey];
    const [row] = await this.#database.read<EarlierChange>(earlierStatement, named);
    return row === undefined ? null : { ...row, item: rowOf(row.item) };
  }

  async generation(): Promise<number> {
    const [row] = await this.#database.read<{ generation: number }>(generationStatement);
    if (row === undefined) throw new Error('catalog_generation has no row');
    return row.generation;
  }

  /** What everybody sees is not what it was, for a reason that stands elsewhere. */
  async touch(): Promise<void> {
    await this.#database.write(touchStatement);
  }

  /** Of any status. */
  async item(id: CatalogItemId): Promise<ItemRow | null> {
    return (await this.#database.read<ItemRow>(byIdStatement, [id]))[0] ?? null;
  }

  /** Newest first. @param owner a merchant, or the operator */
  owned(
    owner: string,
    after: CatalogItemId | null,
    filter: { readonly status: string | null; readonly kind: string | null },
    rowsMax: number,
  ): Promise<readonly ItemRow[]> {
    return this.#database.read<ItemRow>(ownedStatement, [owner, after, filter.status, filter.kind, rowsMax]);
  }

  async #change(statement: string, key: CreationKey, values: readonly Parameter[]): Promise<Changed> {
    const parameters = [key.creator, key.idempotencyKey, key.requestHash, ...values];
    try {
      return (await this.#database.write<ItemRow>(statement, parameters))[0] ?? 'none';
    } catch (error) {
      if (error instanceof UniqueViolation) return 'none';
      throw error;
    }
  }
}

function text(count: number | null): string | null {
  return count === null ? null : String(count);
}
