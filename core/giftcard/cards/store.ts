/**
 * The table `giftcards`. SQL only. What changes a card beside its movements begins and ends in `activities-store.ts`; here is
 * what is read of cards, how they come into being, and what time does to them.
 */
import type { CustomerId, GiftcardId, MerchantId } from '@local-plus/contracts';
import { announce, announceEach } from '../../outbox/index.ts';
import type { Database } from '../../platform/postgres/index.ts';
import { keptCodes } from '../codes/index.ts';
import { type ActivityRow, activityColumns, type NewActivity } from './activities-store.ts';
import type { CardRow } from './domain.ts';

/** A card to be. */
export interface NewCard
  extends Omit<CardRow, 'status' | 'replaced_by' | 'activated_at' | 'deactivated_at' | 'created_at'> {
  /** Which issue or import it comes from. */
  readonly activity: NewActivity;
}

const names = [
  ...['id', 'merchant_id', 'program_id', 'unit', 'initial_amount', 'status', 'catalog_item_id', 'batch_id'],
  ...['customer_id', 'external_id', 'last_four', 'has_pin', 'expires_on', 'expires_at', 'replaces', 'replaced_by'],
  ...['activated_at', 'deactivated_at', 'settle_at', 'notice_at', 'created_at'],
] as const;
/** As text: the driver would make a moment of a date. */
const columnsOf = (table: string): string =>
  names.map((name) => (name === 'expires_on' ? `${table}.expires_on::text` : `${table}.${name}`)).join(', ');
const columns = columnsOf('c');

const given = `merchant_id, program_id, unit, initial_amount, catalog_item_id, batch_id, customer_id, external_id, last_four,
  has_pin, expires_on, expires_at, replaces, settle_at, notice_at`;
const givenTypes = `merchant_id uuid, program_id uuid, unit text, initial_amount bigint, catalog_item_id uuid, batch_id uuid,
  customer_id uuid, external_id text, last_four text, has_pin boolean, expires_on date, expires_at timestamptz, replaces uuid,
  settle_at timestamptz, notice_at timestamptz`;

/**
 * The activity's row stands first: its key decides whether there is a card, and its time is the card's. They are written in one
 * order, whatever the plan: two who issue the same cards at once wait for each other, and never both. `offset 0` keeps the planner
 * from reading all cards: it takes a list of one for a hundred. $1 cards, $2 their activities, both JSON, $3 events by card.
 */
const issuing = `wanted as (
    select * from json_to_recordset($1::text::json) as w (id uuid, ${givenTypes})
  ), begun as (
    insert into giftcard_activities (id, card_id, merchant_id, activity, status, creator, idempotency_key, request_hash,
      request_id, traceparent, activates, amount, created_at)
    select a.id, a.card_id, a.merchant_id, a.activity, a.status, a.creator, a.idempotency_key, decode(a.request_hash, 'hex'),
      a.request_id, a.traceparent, a.activates, 0, a.created_at
    from json_to_recordset($2::text::json) as a (id uuid, card_id uuid, merchant_id uuid, activity text, status text,
      creator uuid, idempotency_key text, request_hash text, request_id uuid, traceparent text, activates boolean,
      created_at timestamptz)
    where not exists (select from giftcards as c where c.id = a.card_id offset 0) order by a.card_id
    on conflict do nothing returning card_id, ${activityColumns}
  ), written as (
    insert into giftcards (id, ${given}, created_at)
    select id, ${given}, created_at from wanted
      join (select card_id as id, created_at from begun) as beginnings using (id)
    returning id
  )`;

/** An external id that is taken fails it: neither card nor activity is there then. */
const issueStatement = `with ${issuing}, ${keptCodes(4, 'written')}, ${announceEach(3, 'written')} select * from begun`;
/** Their codes are there already. */
const issueManyStatement = `with ${issuing}, ${announceEach(3, 'written')} select id from written`;

const byIdStatement = `select ${columns} from giftcards as c where c.id = any($1::uuid[])`;
const pageStatement = `select ${columns} from giftcards as c
  where c.merchant_id = $1::uuid and ($2::uuid is null or c.id < $2::uuid) order by c.id desc limit $3::int`;
const customerPageStatement = `select ${columns} from giftcards as c
  where c.customer_id = any($4::uuid[]) and c.merchant_id = $1::uuid and ($2::uuid is null or c.id < $2::uuid)
  order by c.id desc limit $3::int`;

const toSettleStatement = `select ${columns} from giftcards as c where c.settle_at <= $1::timestamptz order by c.settle_at
  limit $2::int`;
/** Not while an activity is under way: that one ends first, and the card is looked at again. */
const expireStatement = `with expired as (
    update giftcards as c set status = 'expired', notice_at = null
    where c.id = $1::uuid and c.status in ('pending', 'active') and c.expires_at <= $2::timestamptz
      and not exists (select from giftcard_activities as o where o.card_id = c.id and o.status = 'open')
    returning ${columns}
  ), noted as (
    insert into giftcard_activities (id, card_id, merchant_id, activity, status, request_id, created_at)
    select $3::uuid, id, merchant_id, 'expire', 'done', $4::uuid, $2::timestamptz from expired
  ), ${announce(5, 'expired')} select * from expired`;
const settledStatement = `update giftcards set settle_at = $3::timestamptz
  where id = $1::uuid and settle_at = $2::timestamptz`;

const toTellStatement = `select ${columns} from giftcards as c where c.notice_at <= $1::timestamptz order by c.notice_at
  limit $2::int`;
const told = `told as (
    update giftcards set notice_at = $3::timestamptz where id = $1::uuid and notice_at = $2::timestamptz returning id
  )`;
const passedStatement = `with ${told} select id from told`;
const toldStatement = `with ${told}, ${announce(4, 'told')} select id from told`;

export class CardStore {
  readonly #database: Pick<Database, 'read' | 'write'>;

  constructor(database: Pick<Database, 'read' | 'write'>) {
    this.#database = database;
  }

  /** In the order of `ids`; null for what does not exist. */
  async findMany(ids: readonly GiftcardId[]): Promise<readonly (CardRow | null)[]> {
    const rows = await this.#database.read<CardRow>(byIdStatement, [ids]);
    const found = new Map(rows.map((row) => [row.id, row]));
    return ids.map((id) => found.get(id) ?? null);
  }

  /** Newest first, older than `before`. @param customerIds of any of these customers; null: of whomever */
  page(
    merchantId: MerchantId,
    customerIds: readonly CustomerId[] | null,
    before: GiftcardId | null,
    rowsMax: number,
  ): Promise<readonly CardRow[]> {
    const bounds = [merchantId, before, String(rowsMax)];
    return customerIds === null
      ? this.#database.read<CardRow>(pageStatement, bounds)
      : this.#database.read<CardRow>(customerPageStatement, [...bounds, customerIds]);
  }

  /**
   * Its activity; null: the key was used before. Throws `UniqueViolation` for an external id that another card has.
   *
   * @param codes of `CodeBook.draw`
   * @param events by `newEvents`, of the card
   */
  async issue(card: NewCard, codes: string, events: string): Promise<ActivityRow | null> {
    const [row] = await this.#database.write<ActivityRow>(issueStatement, [...partsOf([card]), events, codes]);
    return row ?? null;
  }

  /** Of those that are not there yet. */
  async issueMany(cards: readonly NewCard[], events: string): Promise<void> {
    await this.#database.write(issueManyStatement, [...partsOf(cards), events]);
  }

  /** Whose time may be over, or of which something may be left, the longest due first. */
  toSettle(at: Date, cardsMax: number): Promise<readonly CardRow[]> {
    return this.#database.read<CardRow>(toSettleStatement, [at, String(cardsMax)]);
  }

  /** As it is then; null: it is not to be expired, or not now. */
  async expire(
    card: CardRow,
    asked: { readonly at: Date; readonly activityId: string; readonly requestId: string; readonly event: string },
  ): Promise<CardRow | null> {
    const { at, activityId, requestId, event } = asked;
    const [row] = await this.#database.write<CardRow>(expireStatement, [card.id, at, activityId, requestId, event]);
    return row ?? null;
  }

  /** Looked at: when to look again; null: not any more. Of one that was settled by another meanwhile: nothing happens. */
  async settled(card: CardRow, next: Date | null): Promise<void> {
    await this.#database.write(settledStatement, [card.id, card.settle_at, next]);
  }

  toTell(at: Date, cardsMax: number): Promise<readonly CardRow[]> {
    return this.#database.read<CardRow>(toTellStatement, [at, String(cardsMax)]);
  }

  /** @param event null: there is nothing to say this time */
  async told(card: CardRow, next: Date | null, event: string | null): Promise<void> {
    const parameters = [card.id, card.notice_at, next];
    if (event === null) await this.#database.write(passedStatement, parameters);
    else await this.#database.write(toldStatement, [...parameters, event]);
  }
}

function partsOf(cards: readonly NewCard[]): [string, string] {
  return [
    JSON.stringify(cards.map(({ activity: _, ...card }) => card)),
    JSON.stringify(cards.map(({ activity, id }) => ({ ...activity, card_id: id }))),
  ];
}
