/** Ledger rows as they stand on the wire. Text is put together by hand: this runs once per answered write. */
import type { PostedRow, RefusalCode, RefusedRow } from '@local-plus/actors';
import { type Problem, problem, type TransactionId } from '@local-plus/contracts';

/** The members of a `transaction`, without the closing brace. */
function transactionMembers(row: PostedRow, id: TransactionId, unit: string): string {
  const { facts, posting } = row;
  const reversalOf = posting.reversalOf === null ? 'null' : `"${posting.reversalOf}"`;
  return (
    `{"id":"${id}","wallet_id":"${facts.accountId}","kind":"${posting.kind}","amount":${posting.amount},` +
    `"unit":"${unit}","balance_after":${posting.balanceAfter},"held_after":${posting.heldAfter},` +
    `"version":${posting.version},"reference":${referenceJson(row)},"reversal_of":${reversalOf},` +
    `"metadata":${facts.metadata ?? 'null'},"created_at":"${timeJson(posting.occurredAtMs)}"${rulesMember(row)}`
  );
}

/** Which rules an earn for a purchase was made by. */
function rulesMember({ posting }: PostedRow): string {
  const rules = posting.detail?.rules;
  return rules === undefined ? '' : `,"rules_id":"${rules}"`;
}

function referenceJson({ facts }: PostedRow): string {
  return facts.reference === null ? 'null' : JSON.stringify(facts.reference);
}

/** The rows of a batch have one time, and the writing of a date is slow. */
let lastMs = Number.NaN;
let lastText = '';

function timeJson(ms: number): string {
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastText;
}

export function transactionJson(row: PostedRow, id: TransactionId, unit: string): string {
  return `${transactionMembers(row, id, unit)}}`;
}

/** With both legs: what the account gains, its contra account loses (I1). Where nothing moves there are none. */
export function transactionWithEntriesJson(row: PostedRow, id: TransactionId, unit: string): string {
  const { facts, posting } = row;
  const legs = [
    { account_id: facts.accountId, amount: posting.balanceDelta },
    { account_id: posting.contraAccountId, amount: -posting.balanceDelta },
  ];
  const entries = posting.balanceDelta === 0 ? '[]' : JSON.stringify(legs);
  return `${transactionMembers(row, id, unit)},"entries":${entries}}`;
}

/** A hold, made by `row`, of which `remaining` is left. */
export function holdJson(row: PostedRow, id: TransactionId, unit: string, remaining: number): string {
  const { facts, posting } = row;
  const expiresAtMs = posting.detail?.hold_expires_ms;
  if (expiresAtMs === undefined) throw new Error('a hold says when it expires');
  return (
    `{"id":"${id}","wallet_id":"${facts.accountId}","amount":${posting.amount},"remaining":${remaining},` +
    `"unit":"${unit}","status":"${remaining > 0 ? 'open' : 'closed'}","expires_at":"${timeJson(expiresAtMs)}",` +
    `"reference":${referenceJson(row)},"metadata":${facts.metadata ?? 'null'},` +
    `"created_at":"${timeJson(posting.occurredAtMs)}"}`
  );
}

/** As it was made: what its request is answered with, the first time and every time. */
export function newHoldJson(row: PostedRow, id: TransactionId, unit: string): string {
  return holdJson(row, id, unit, row.posting.amount);
}

/** A transfer, by its outgoing transaction. */
export function transferJson(row: PostedRow, id: TransactionId, unit: string): string {
  const { facts, posting } = row;
  const partner = posting.detail?.partner;
  if (partner === undefined) throw new Error('a transfer says where it goes');
  return (
    `{"id":"${id}","from_wallet_id":"${facts.accountId}","to_wallet_id":"${partner}","amount":${posting.amount},` +
    `"unit":"${unit}","reference":${referenceJson(row)},"metadata":${facts.metadata ?? 'null'},` +
    `"created_at":"${timeJson(posting.occurredAtMs)}"}`
  );
}

/** What a request can be refused with: nobody but the ledger itself asks for what is due. */
type AnsweredCode = Exclude<RefusalCode, 'nothing_due'>;

/** What is said to the caller: in numbers where the row has them. An amount of 0: the request left it open. */
const details: Readonly<Record<AnsweredCode, (row: RefusedRow) => string | undefined>> = {
  account_frozen: (row) =>
    row.kind === 'freeze'
      ? 'The account is frozen already.'
      : `The ${isReceiving(row) ? 'receiving ' : ''}account is frozen; it takes no ${words[row.kind] ?? row.kind}.`,
  account_not_frozen: () => undefined,
  insufficient_funds: insufficientFunds,
  balance_limit_exceeded: (row) =>
    `The ${isReceiving(row) ? 'receiving ' : ''}balance is ${row.balance}; ${
      row.amount === 0 ? 'with this' : `with ${row.amount} more`
    } it would leave its bounds.`,
  hold_closed: () => 'It was captured or released, wholly, or its time is over.',
  capture_exceeds_hold: (row) => `The capture asks for ${row.amount}; less is left of the hold.`,
  holds_limit_exceeded: () => 'Capture or release one of the open holds first.',
  not_reversible: () => undefined,
  reversal_exceeds_original: (row) =>
    row.amount === 0
      ? 'Nothing is left of the transaction to reverse.'
      : `The reversal asks for ${row.amount}; less is left of the transaction.`,
  reversals_limit_exceeded: () => undefined,
  nothing_earned: () => 'No rule gives points for it, or their caps are reached.',
  counters_limit_exceeded: () => undefined,
  giftcard_pending: (row) => `${cardOf(row)} is not active yet.`,
  giftcard_expired: (row) => `${cardOf(row)} has expired.`,
  giftcard_deactivated: (row) => `${cardOf(row)} was deactivated for good.`,
};

function cardOf(row: RefusedRow): string {
  return isReceiving(row) ? 'The receiving card' : 'The card';
}

const words: Readonly<Partial<Record<RefusedRow['kind'], string>>> = {
  transfer_out: 'transfer',
  transfer_in: 'transfer',
  reverse: 'reversal',
  adjust: 'adjustment',
};

/** Of a transfer's two accounts, the second. */
function isReceiving(row: RefusedRow): boolean {
  return row.kind === 'transfer_in';
}

/** Points whose day is over count for the balance until they are posted as expired, but cannot be spent any more. */
function insufficientFunds(row: RefusedRow): string {
  const word = words[row.kind] ?? row.kind;
  const available = row.balance - row.held;
  if (row.amount === 0) return `Available is ${available}; the ${word} asks for more.`;
  const asks = `the ${word} asks for ${row.amount}`;
  return available < row.amount
    ? `Available is ${available}; ${asks}.`
    : `Of the available ${available} a part has expired; ${asks}, more than the rest.`;
}

/**
 * The refusal as the problem document of the request that met it first: every replay shows the same, its request id
 * included.
 */
export function refusalProblem(row: RefusedRow): Problem {
  if (row.code === 'nothing_due') throw new Error('only the ledger itself asks for what is due');
  return problem(row.code, row.facts.requestId, details[row.code](row));
}
