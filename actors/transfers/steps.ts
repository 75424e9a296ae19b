/**
 * The steps of a transfer, as requests of accounts. Pure; whatever a later step needs stands in the row of the first one.
 *
 *     one lane:      transfer_out + transfer_in, one batch
 *     across lanes:  departure (transfer_out) → arrival (transfer_in) | refused → return (the departure's reversal)
 *
 * How much "all" is, only the departure's row says: such a transfer is always of two steps.
 *
 * T1 Every step has a key of its own, made of the client's: sent again, it finds its outcome.
 * T2 The client's key is the departure's, in either form: whoever brings it again finds which form was decided.
 */
import type { AccountId, IdempotencyKey } from '@local-plus/contracts';
import type { Command, Lot, Original } from '../account/model.ts';
import type { PostedRow, RequestFacts } from '../ports.ts';
import type { AccountRequest, Part, Posted } from '../runtime/outcome.ts';

export interface TransferRequest {
  /** Of the account that gives. The hash covers the other account and the amount. */
  readonly facts: RequestFacts;
  readonly to: AccountId;
  /** 1 … limits.amountMax; null: all that can be spent when it is decided, always in two steps. */
  readonly amount: number | null;
  /** With an amount of null: out of a frozen account, too. */
  readonly evenFrozen?: boolean;
  /** Asked of the giving account in place of the transfer, such as its `decline`: unless the key has its departure already. */
  readonly instead?: Command;
  /** Whose waiting commands it counts among. */
  readonly tenant?: string;
  /** By the monotonic clock. */
  readonly deadlineMs: number;
}

/** Keys of ours have spaces, so that they cannot be a client's. */
export function arrivalKey(from: AccountId, key: IdempotencyKey): IdempotencyKey {
  return `transfer ${from} ${key}` as IdempotencyKey;
}

export function returnKey(key: IdempotencyKey): IdempotencyKey {
  return `return ${key}` as IdempotencyKey;
}

/** Whether both sides can be one request: there is an arrival, and it knows its amount. */
export function canBeWhole(request: TransferRequest): request is TransferRequest & { readonly amount: number } {
  return request.amount !== null && request.instead === undefined;
}

/** Both sides in one batch, or neither. The lots are carried by whoever decides both. */
export function wholeOf(request: TransferRequest & { readonly amount: number }): AccountRequest {
  return { ...departureOf(request, false), also: [partOfArrival(request.facts, request.to, request.amount)] };
}

/** The first side alone, or what is asked in its place; from the commit of a departure on the points are in transit. */
export function departureOf(request: TransferRequest, across = true): AccountRequest {
  const { facts, tenant, deadlineMs } = request;
  return { facts, command: departing(request, across), deadlineMs, ...(tenant !== undefined && { tenant }) };
}

function departing(request: TransferRequest, across: boolean): Command {
  const { facts, to: partner, amount, evenFrozen = false, instead } = request;
  if (instead !== undefined) return instead;
  const { programId } = facts;
  if (amount === null) return { kind: 'clear', as: { kind: 'transfer_out', partner, evenFrozen }, programId };
  return { kind: 'transfer_out', amount, partner, programId, ...(across && { across }) };
}

/** Whether the row is a departure: the other side is no part of its batch. */
export function isDeparture({ posting }: PostedRow): boolean {
  return posting.kind === 'transfer_out' && posting.detail?.across === true;
}

/** What is left open by a departure: the other side, with the lots that it took out. */
export function arrivalOf({ row }: Posted, deadlineMs: number): AccountRequest {
  const { facts, posting } = row;
  const { partner, lots } = posting.detail ?? {};
  if (partner === undefined) throw new TypeError('a departure says where it goes');
  return { ...partOfArrival(facts, partner, posting.amount, lots?.map(negated)), deadlineMs };
}

/** What a departure becomes when its arrival was refused. Only then: a stored refusal says that it never arrives. */
export function returnOf({ row, transactionId }: Posted, deadlineMs: number): AccountRequest {
  const { facts, posting } = row;
  const { version, kind, amount, balanceDelta, detail } = posting;
  const original: Original = { transactionId, version, kind, amount, balanceDelta, detail };
  return {
    facts: { ...facts, idempotencyKey: returnKey(facts.idempotencyKey) },
    command: { kind: 'return', original, programId: facts.programId },
    deadlineMs,
  };
}

function partOfArrival(facts: RequestFacts, to: AccountId, amount: number, lots?: readonly Lot[]): Part {
  const { accountId: partner, programId, idempotencyKey } = facts;
  return {
    facts: { ...facts, accountId: to, idempotencyKey: arrivalKey(partner, idempotencyKey) },
    command: { kind: 'transfer_in', amount, partner, programId, ...(lots !== undefined && { lots }) },
  };
}

function negated([day, change]: Lot): Lot {
  return [day, -change];
}
