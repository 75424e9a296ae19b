/** Cards and their activities as they stand on the wire, and in events. */
import type { PostedRow, StoredTransaction } from '@local-plus/actors';
import {
  type GiftcardActivityKind,
  type GiftcardId,
  giftcardActivityTable,
  type giftcards,
  programAccount,
  type RequestId,
  type TransactionId,
  topics,
} from '@local-plus/contracts';
import type { NewEvent } from '../../outbox/index.ts';
import type { ActivityRow } from './activities-store.ts';
import { type Balance, type CardRow, daysLeftOf, stateOf } from './domain.ts';

/** Of the keys that this module posts under: `giftcards <activity's id> <step>`; see `deskKey`. */
export const keyModule = 'giftcards';

export interface CardBalance extends Balance {
  readonly version: number;
}

export function cardJson(card: CardRow, ledger: CardBalance, nowMs: number): giftcards.Giftcard {
  const { balance, held, version } = ledger;
  return {
    id: card.id,
    program_id: card.program_id,
    unit: card.unit,
    state: stateOf(card, ledger, nowMs),
    balance,
    held,
    available: balance - held,
    version,
    initial_amount: card.initial_amount,
    catalog_item_id: card.catalog_item_id,
    batch_id: card.batch_id,
    customer_id: card.customer_id,
    external_id: card.external_id,
    last_four: card.last_four,
    has_pin: card.has_pin,
    expires_on: card.expires_on,
    expires_at: card.expires_at?.toISOString() ?? null,
    replaces: card.replaces,
    replaced_by: card.replaced_by,
    activated_at: card.activated_at?.toISOString() ?? null,
    deactivated_at: card.deactivated_at?.toISOString() ?? null,
    created_at: card.created_at.toISOString(),
  };
}

/** A transaction of a card, as the activity that it is: from the row alone, so that a replay shows the same. */
export function transactionActivityJson(row: PostedRow, id: TransactionId, unit: string): string {
  const { facts, posting } = row;
  const { detail } = posting;
  const answer: giftcards.Activity = {
    id,
    giftcard_id: facts.accountId,
    activity: activityOf(row),
    amount: posting.amount,
    unit,
    balance_after: posting.balanceAfter,
    held_after: posting.heldAfter,
    transaction_id: id,
    reverses: posting.reversalOf,
    related_giftcard_id: detail?.partner ?? null,
    customer_id: null,
    reason: detail?.reason ?? null,
    reference: facts.reference,
    metadata: facts.metadata === null ? null : JSON.parse(facts.metadata),
    created_at: new Date(posting.occurredAtMs).toISOString(),
  };
  return JSON.stringify(answer);
}

export function storedActivityJson(row: StoredTransaction, unit: string): string {
  return transactionActivityJson(row, row.transactionId, unit);
}

/** Which activity a transaction is. */
export function activityOf({ facts, posting }: PostedRow): GiftcardActivityKind {
  const { detail } = posting;
  switch (posting.kind) {
    case 'load':
    case 'earn':
      return stepOf(facts.idempotencyKey) ?? (detail?.reason === undefined ? 'load' : 'unlinked_refund');
    case 'redeem':
    case 'burn':
      return 'redeem';
    case 'adjust':
      if (posting.balanceDelta > 0) return 'adjust_increment';
      return detail?.cleared === true ? 'clear_balance' : 'adjust_decrement';
    case 'reverse':
      if (detail?.returns !== undefined) return 'transfer_return';
      return posting.contraAccountId === programAccount(facts.programId, 'issued') ? 'reverse_import' : 'refund';
    case 'freeze':
      return 'block';
    case 'unfreeze':
      return 'unblock';
    case 'hold':
    case 'capture':
    case 'release':
    case 'expire':
    case 'transfer_out':
    case 'transfer_in':
      return posting.kind;
  }
}

/** What this module posted it for. A client's key has no spaces. */
function stepOf(key: string): GiftcardActivityKind | null {
  const [module, , step = ''] = key.split(' ');
  return module === keyModule && Object.hasOwn(giftcardActivityTable, step) ? (step as GiftcardActivityKind) : null;
}

export function activityJson(row: ActivityRow, unit: string): giftcards.Activity {
  const isOfCustomer = row.activity === 'link' || row.activity === 'unlink';
  const isPosted = row.transaction_id !== null;
  return {
    id: row.transaction_id ?? row.id,
    giftcard_id: row.card_id,
    activity: row.activity,
    amount: isPosted ? row.amount : 0,
    unit,
    balance_after: isPosted ? row.balance_after : null,
    held_after: isPosted ? row.held_after : null,
    transaction_id: row.transaction_id,
    reverses: null,
    related_giftcard_id: row.related_card_id,
    customer_id: isOfCustomer ? row.customer_id : null,
    reason: row.reason,
    reference: null,
    metadata: null,
    created_at: row.created_at.toISOString(),
  };
}

/** The request that an event comes of. */
export interface Cause {
  readonly requestId: RequestId;
  readonly traceparent: string | null;
}

type Told = Pick<CardRow, 'id' | 'merchant_id' | 'program_id' | 'customer_id'>;

/** That something was done that no transaction tells. */
export function activityEvent(
  card: Told,
  activity: GiftcardActivityKind,
  about: { readonly id: string; readonly related: GiftcardId | null },
  cause: Cause,
): NewEvent {
  const data: giftcards.ActivityEvent = {
    activity_id: about.id,
    giftcard_id: card.id,
    merchant_id: card.merchant_id,
    program_id: card.program_id,
    activity,
    customer_id: card.customer_id,
    related_giftcard_id: about.related,
  };
  return eventOf(card, 'giftcard.activity.done', cause, data);
}

/** @param expiry of the card: it has one */
export function expiringEvent(
  card: Told & Pick<CardRow, 'unit'>,
  expiry: { readonly on: string; readonly at: Date },
  balance: number,
  cause: Cause,
  nowMs: number,
): NewEvent {
  const data: giftcards.ExpiringEvent = {
    giftcard_id: card.id,
    merchant_id: card.merchant_id,
    program_id: card.program_id,
    customer_id: card.customer_id,
    unit: card.unit,
    balance,
    days_left: daysLeftOf(expiry.at, nowMs),
    expires_on: expiry.on,
    expires_at: expiry.at.toISOString(),
  };
  return eventOf(card, 'giftcard.expiring', cause, data);
}

function eventOf(card: Told, type: string, { requestId, traceparent }: Cause, data: object): NewEvent {
  return {
    topic: topics.giftcardActivities,
    aggregateType: 'giftcard',
    aggregateId: card.id,
    type,
    schemaVersion: 1,
    requestId,
    traceparent,
    data,
  };
}
