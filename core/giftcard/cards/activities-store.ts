/**
 * The table `giftcard_activities`, and what an activity changes of its cards. SQL only.
 *
 * - R1 an activity begins under its card's lock, and only while the row allows it; at most one of a card is open.
 * - R2 it ends once: whoever closes it changes the card by the same statement, under the same lock, and only if it was open.
 */
import type { GiftcardActivityKind, GiftcardId, MerchantId, RequestId, TransactionId } from '@local-plus/contracts';
import { announce, announceEach } from '../../outbox/index.ts';
import type { CreationKey, Database } from '../../platform/postgres/index.ts';
import { keptCodes } from '../codes/index.ts';
import type { CardStatus } from './domain.ts';

export interface ActivityRow {
  readonly id: string;
  readonly card_id: GiftcardId;
  readonly merchant_id: MerchantId;
  readonly activity: GiftcardActivityKind;
  readonly status: 'open' | 'done' | 'refused';
  readonly request_hash: string | null;
  readonly request_id: RequestId;
  readonly traceparent: string | null;
  readonly activates: boolean;
  readonly reason: string | null;
  readonly related_card_id: GiftcardId | null;
  readonly customer_id: string | null;
  /** JSON text. */
  readonly problem: string | null;
  readonly transaction_id: TransactionId | null;
  readonly amount: number;
  readonly balance_after: number | null;
  readonly held_after: number | null;
  readonly created_at: Date;
}

/** Of an issue or an import, with the card. */
export interface NewActivity extends Pick<ActivityRow, 'id' | 'activity' | 'request_id' | 'traceparent' | 'activates'> {
  readonly merchant_id: MerchantId;
  readonly status: 'open' | 'done';
  readonly creator: string | null;
  readonly idempotency_key: string | null;
  readonly request_hash: string | null;
  readonly created_at: Date;
}

/** Of a card that is there. */
export interface Beginning
  extends Pick<ActivityRow, 'id' | 'card_id' | 'activity' | 'request_id' | 'traceparent' | 'reason' | 'customer_id'> {
  readonly key: CreationKey;
  /** The statuses in which it may begin. */
  readonly from: readonly CardStatus[];
  readonly at: Date;
}

/** What a replacement begins with: the new card, which has all of the lost one but its code and its balance. */
export interface Replacement {
  readonly cardId: GiftcardId;
  readonly activityId: string;
  readonly lastFour: string;
  readonly hasPin: boolean;
  /** Of `CodeBook.draw`. */
  readonly codes: string;
}

/** How an activity ends. */
export interface Ending {
  readonly id: string;
  readonly card_id: GiftcardId;
  readonly status: 'done' | 'refused';
  readonly problem: string | null;
  readonly transaction_id: TransactionId | null;
  readonly amount: number;
  readonly balance_after: number | null;
  readonly held_after: number | null;
  /** null: it stays. */
  readonly card_status: CardStatus | null;
  /** The new card of a replacement, which becomes active. */
  readonly related_card_id: GiftcardId | null;
  readonly settle_at: Date | null;
  /** The id of an activation to be told beside it; null: there is none, or the ledger tells it. */
  readonly activation_id: string | null;
}

/** After `id` and the like, in the order of the table. */
export const activityColumns = `id, merchant_id, activity, status, encode(request_hash, 'hex') as request_hash, request_id,
  traceparent, activates, reason, related_card_id, customer_id, problem, transaction_id, amount, balance_after, held_after,
  created_at`;
const columns = `card_id, ${activityColumns}`;

/** R1. $1 the card, $2 statuses, $3 the moment. */
const standing = `card as (
    select * from giftcards
    where id = $1::uuid and status = any($2::text[]) and (expires_at is null or expires_at > $3::timestamptz)`;
const begun = (status: 'open' | 'done', related: string): string => `begun as (
    insert into giftcard_activities (id, card_id, merchant_id, activity, status, creator, idempotency_key, request_hash,
      request_id, traceparent, reason, related_card_id, customer_id, created_at)
    select $4::uuid, id, merchant_id, $5, '${status}', $6::uuid, $7, decode($8, 'hex'), $9::uuid, $10, $11, ${related},
      coalesce($12::uuid, customer_id), $3::timestamptz
    from card on conflict do nothing returning ${columns}
  )`;

const beginStatement = `with ${standing} for update), ${begun('open', 'null')} select * from begun`;

/** A replacement's card is there, pending, from its beginning on. $13 its id, $14 its last four, $15 has a PIN, $16 its issue. */
const replaceStatement = `with ${standing} for update), ${begun('open', '$13::uuid')}, created as (
    insert into giftcards (id, merchant_id, program_id, unit, initial_amount, catalog_item_id, customer_id, last_four, has_pin,
      expires_on, expires_at, replaces, settle_at, notice_at, created_at)
    select $13::uuid, merchant_id, program_id, unit, 0, catalog_item_id, customer_id, $14, $15::boolean, expires_on, expires_at,
      id, settle_at, notice_at, $3::timestamptz
    from card where exists (select from begun) returning id, merchant_id
  ), noted as (
    insert into giftcard_activities (id, card_id, merchant_id, activity, status, request_id, traceparent, created_at)
    select $16::uuid, id, merchant_id, 'issue', 'done', $9::uuid, $10, $3::timestamptz from created
  ), ${keptCodes(17, 'created')}, ${announce(18, 'created')} select * from begun`;

/** Links and unlinks are done by their beginning. */
const linking = (condition: string, customer: string): string => `with ${standing} and ${condition} for update),
  ${begun('done', 'null')}, changed as (
    update giftcards as c set customer_id = ${customer} from begun where c.id = begun.card_id returning c.id
  ), ${announce(13, 'changed')} select * from begun`;
const linkStatement = linking('(customer_id is null or customer_id = $12::uuid)', '$12::uuid');
const unlinkStatement = linking('customer_id is not null and $12::uuid is null', 'null');

/** R2. */
const endStatement = `with ends as (
    select * from json_to_recordset($1::text::json) as e (id uuid, card_id uuid, status text, problem text, transaction_id uuid,
      amount bigint, balance_after bigint, held_after bigint, card_status text, related_card_id uuid, settle_at timestamptz,
      activation_id uuid)
  ), locked as (
    select id from giftcards where id in (select card_id from ends union all select related_card_id from ends)
    order by id for update
  ), done as (
    update giftcard_activities as o set status = e.status, problem = e.problem, transaction_id = e.transaction_id,
      amount = e.amount, balance_after = e.balance_after, held_after = e.held_after
    from ends as e
    where o.id = e.id and o.status = 'open' and (select count(*) from locked) > 0
    returning o.*
  ), changed as (
    update giftcards as c set status = e.card_status,
      activated_at = case when e.card_status = 'active' then now() else c.activated_at end,
      deactivated_at = case when e.card_status = 'deactivated' then now() end,
      replaced_by = e.related_card_id,
      notice_at = case when e.card_status = 'deactivated' then null else c.notice_at end,
      settle_at = coalesce(e.settle_at, c.settle_at)
    from ends as e join done on done.id = e.id
    where c.id = e.card_id and e.card_status is not null
  ), replacing as (
    update giftcards as c set status = 'active', activated_at = now()
    from ends as e join done on done.id = e.id
    where c.id = e.related_card_id
  ), activated as (
    insert into giftcard_activities (id, card_id, merchant_id, activity, status, request_id, traceparent, created_at)
    select e.activation_id, done.card_id, done.merchant_id, 'activate', 'done', done.request_id, done.traceparent, now()
    from ends as e join done on done.id = e.id where e.activation_id is not null
  ), ${announceEach(2, 'done')} select id from done`;

const byIdStatement = `select ${columns} from giftcard_activities where id = any($1::uuid[])`;
const byKeyStatement = `select ${columns} from giftcard_activities where creator = $1::uuid and idempotency_key = $2`;
const openOfStatement = `select ${columns} from giftcard_activities where card_id = any($1::uuid[]) and status = 'open'`;
const openStatement = `select ${columns} from giftcard_activities
  where status = 'open' and created_at <= $1::timestamptz order by created_at limit $2::int`;
const beginningsStatement = `select ${columns} from giftcard_activities
  where card_id = any($1::uuid[]) and activity in ('issue', 'import')`;
const toldStatement = `select ${columns} from giftcard_activities
  where card_id = $1::uuid and status = 'done' and transaction_id is null and ($2::uuid is null or id < $2::uuid)
  order by id desc limit $3::int`;

export class ActivityStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /** null: its key was used, another one is open, or the card is not as it has to be. */
  begin(asked: Beginning): Promise<ActivityRow | null> {
    return this.#begin(beginStatement, asked, []);
  }

  /** @param event that the new card was issued */
  replace(asked: Beginning, card: Replacement, event: string): Promise<ActivityRow | null> {
    const { cardId, lastFour, hasPin, activityId, codes } = card;
    return this.#begin(replaceStatement, asked, [cardId, lastFour, hasPin, activityId, codes, event]);
  }

  link(asked: Beginning, event: string): Promise<ActivityRow | null> {
    return this.#begin(asked.customer_id === null ? unlinkStatement : linkStatement, asked, [event]);
  }

  /**
   * Each as it stands in the table afterwards, in their order: by whomever it was ended.
   *
   * @param events by `newEvents`, of activities
   */
  async end(endings: readonly Ending[], events: string): Promise<readonly ActivityRow[]> {
    await this.#database.write(endStatement, [JSON.stringify(endings), events]);
    const ids = endings.map(({ id }) => id);
    const rows = await this.#database.read<ActivityRow>(byIdStatement, [ids]);
    const found = new Map(rows.map((row) => [row.id, row]));
    return ids.map((id) => {
      const row = found.get(id);
      if (row === undefined) throw new Error('an activity that was begun is in the table');
      return row;
    });
  }

  async ofKey({ creator, idempotencyKey }: CreationKey): Promise<ActivityRow | null> {
    return (await this.#database.read<ActivityRow>(byKeyStatement, [creator, idempotencyKey]))[0] ?? null;
  }

  /** What is under way of cards. */
  openOf(cardIds: readonly GiftcardId[]): Promise<readonly ActivityRow[]> {
    return this.#database.read<ActivityRow>(openOfStatement, [cardIds]);
  }

  /** What was begun by a moment and is open, the oldest first. */
  open(begunBy: Date, rowsMax: number): Promise<readonly ActivityRow[]> {
    return this.#database.read<ActivityRow>(openStatement, [begunBy, String(rowsMax)]);
  }

  /** The issues and imports that cards come from: one of each card that is there. */
  beginningsOf(cardIds: readonly GiftcardId[]): Promise<readonly ActivityRow[]> {
    return this.#database.read<ActivityRow>(beginningsStatement, [cardIds]);
  }

  /** What the ledger does not tell of a card, newest first, older than `before`. */
  told(cardId: GiftcardId, before: string | null, rowsMax: number): Promise<readonly ActivityRow[]> {
    return this.#database.read<ActivityRow>(toldStatement, [cardId, before, String(rowsMax)]);
  }

  async #begin(statement: string, asked: Beginning, more: readonly (string | boolean)[]): Promise<ActivityRow | null> {
    const { card_id, from, at, id, activity, key, request_id, traceparent, reason, customer_id } = asked;
    const { creator, idempotencyKey, requestHash } = key;
    const [row] = await this.#database.write<ActivityRow>(statement, [
      ...[card_id, from, at, id, activity, creator, idempotencyKey, requestHash],
      ...[request_id, traceparent, reason, customer_id],
      ...more,
    ]);
    return row ?? null;
  }
}
