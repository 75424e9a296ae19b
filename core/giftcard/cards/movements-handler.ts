/**
 * Wire ↔ ledger: what moves a card's value, under the caller's own key.
 *
 * - M1 the card's row is read first, and may forbid it: then what is posted is its `decline`, which the ledger refuses under
 *   the same key. So whoever was first, the request or its retry a day later, the same key has one outcome.
 * - M2 what the ledger knows (balance, holds, whether the card is blocked) is decided by the account's actor alone: a block that
 *   was answered comes before every redemption that is answered later.
 */
import type { Command, Original, StoredTransaction, TransactionKind } from '@local-plus/actors';
import { type GiftcardActivityKind, giftcardAccount, type giftcards, type movements } from '@local-plus/contracts';
import {
  type AccountTerms,
  type Movement,
  type Note,
  newHoldJson,
  refuseManaged,
  type Show,
} from '../../ledger/index.ts';
import { type CoreAnswer, type CoreRequest, type Handlers, ProblemError } from '../../platform/http/index.ts';
import { ownCard } from './beginnings.ts';
import { barOf, type CardRow } from './domain.ts';
import type { HandlerPorts } from './ports.ts';
import { transactionActivityJson } from './wire.ts';

/** What is asked, the card's state aside. */
interface Wanted {
  readonly activity: GiftcardActivityKind;
  readonly command: Command;
  /** What it is refused as, and of how much; 0: all there is. */
  readonly of: TransactionKind;
  readonly amount: number;
  /** All that it asks but its note and its kind, in a fixed order. */
  readonly asked: Movement['asked'];
  readonly note?: Note;
}

type Plan<Body> = (terms: AccountTerms, body: Body) => Wanted;

export function movementHandlers(ports: HandlerPorts): Handlers {
  return {
    'giftcards.load': (request) => move(ports, request, load),
    'giftcards.redeem': (request) => move(ports, request, redeem),
    'giftcards.refund': (request) =>
      request.body.transaction_id === undefined ? move(ports, request, unlinkedRefund) : refund(ports, request),
    'giftcards.hold': (request) => move(ports, request, hold, newHoldJson),
    'giftcards.adjust': (request) => move(ports, request, adjust),
    'giftcards.clear_balance': (request) => move(ports, request, clearBalance),
    'giftcards.reverse_import': (request) => reverseImport(ports, request),
    'giftcards.block': (request) => move(ports, request, block),
    'giftcards.transfer': (request) => transfer(ports, request),
  };
}

async function move<Request extends CoreRequest>(
  ports: HandlerPorts,
  request: Request,
  plan: Plan<Request['body']>,
  show: Show = transactionActivityJson,
): Promise<CoreAnswer> {
  const card = await ownCard(ports, request);
  const terms = await termsOf(ports, card);
  return answer(ports, request, card, terms, plan(terms, request.body), show);
}

/** M1. */
function answer(
  ports: HandlerPorts,
  request: CoreRequest,
  card: CardRow,
  terms: AccountTerms,
  wanted: Wanted,
  show: Show = transactionActivityJson,
): Promise<CoreAnswer> {
  const code = barOf(card, wanted.activity, ports.nowMs());
  const { programId } = terms;
  const command =
    code === null
      ? wanted.command
      : ({ kind: 'decline', of: wanted.of, amount: wanted.amount, code, programId } as const);
  return ports.ledger.desk.answer(request, { ...movementOf(terms, wanted), command }, show);
}

function movementOf(terms: AccountTerms, { activity, asked, note = {} }: Wanted): Omit<Movement, 'command'> {
  return { terms, asked: [`giftcard ${activity}`, ...asked], note };
}

export async function termsOf({ accounts }: Pick<HandlerPorts, 'accounts'>, { id }: CardRow): Promise<AccountTerms> {
  const terms = await accounts.find(giftcardAccount(id));
  if (terms === null) throw new Error('a card is an account');
  return terms;
}

function load({ programId }: AccountTerms, body: giftcards.Load): Wanted {
  const { amount } = body;
  return {
    activity: 'load',
    command: { kind: 'load', amount, programId },
    of: 'load',
    amount,
    asked: [amount],
    note: body,
  };
}

function redeem({ programId }: AccountTerms, body: giftcards.Redeem): Wanted {
  const { amount } = body;
  const command: Command =
    amount === undefined ? { kind: 'clear', as: { kind: 'redeem' }, programId } : { kind: 'redeem', amount, programId };
  return { activity: 'redeem', command, of: 'redeem', amount: amount ?? 0, asked: [amount ?? null], note: body };
}

function unlinkedRefund({ programId }: AccountTerms, body: giftcards.Refund): Wanted {
  const { amount, reason } = body;
  if (amount === undefined || reason === undefined) throw new Error('the schema asks for amount and reason');
  const command = { kind: 'load', amount, reason, programId } as const;
  return { activity: 'unlinked_refund', command, of: 'load', amount, asked: [amount, reason], note: body };
}

async function refund(ports: HandlerPorts, request: CoreRequest<'giftcards.refund'>): Promise<CoreAnswer> {
  const { body } = request;
  const card = await ownCard(ports, request);
  const terms = await termsOf(ports, card);
  const spent = await transactionOf(ports, card, body.transaction_id ?? '');
  refuseManaged(spent);
  const { kind } = spent.posting;
  if (kind !== 'redeem' && kind !== 'capture') {
    throw new ProblemError('not_reversible', { detail: 'Only what a redemption or a capture spent is given back.' });
  }
  const { amount = null, reason = null } = body;
  const asked = [spent.transactionId, amount, reason];
  return answer(ports, request, card, terms, {
    ...reversal(terms, spent, amount, reason),
    activity: 'refund',
    asked,
    note: body,
  });
}

async function reverseImport(
  ports: HandlerPorts,
  request: CoreRequest<'giftcards.reverse_import'>,
): Promise<CoreAnswer> {
  const { reason } = request.body;
  const card = await ownCard(ports, request);
  const terms = await termsOf(ports, card);
  const [beginning] = await ports.activities.beginningsOf([card.id]);
  const id = beginning?.activity === 'import' ? beginning.transaction_id : null;
  if (id === null) throw new ProblemError('not_reversible', { detail: 'The card was not imported, or is not yet.' });
  const loaded = await transactionOf(ports, card, id);
  const asked = [loaded.transactionId, reason];
  return answer(ports, request, card, terms, {
    ...reversal(terms, loaded, null, reason),
    activity: 'reverse_import',
    asked,
  });
}

/** Whatever the program allows elsewhere: a card never owes, and is never below zero. */
function reversal(
  { programId }: AccountTerms,
  { transactionId, posting }: StoredTransaction,
  amount: number | null,
  reason: string | null,
): Pick<Wanted, 'command' | 'of' | 'amount'> {
  const { version, kind, balanceDelta, detail } = posting;
  const original: Original = { transactionId, version, kind, amount: posting.amount, balanceDelta, detail };
  const policy = { type: 'refuse' } as const;
  return {
    command: { kind: 'reverse', original, amount, reason, policy, programId },
    of: 'reverse',
    amount: amount ?? 0,
  };
}

/** Throws `not_found` for what is none of the card's, or ahead of what its actor knows to be committed. */
async function transactionOf({ ledger }: HandlerPorts, card: CardRow, id: string): Promise<StoredTransaction> {
  const accountId = giftcardAccount(card.id);
  const row = await ledger.history.one(id);
  if (row === null || row.facts.accountId !== accountId) throw new ProblemError('not_found');
  if (row.posting.version > (await ledger.read(accountId)).version) throw new ProblemError('not_found');
  return row;
}

function hold({ programId, rules }: AccountTerms, body: movements.CreateHold): Wanted {
  const { amount, expires_in_s } = body;
  const expiresInS = expires_in_s ?? rules.holdExpiresInS;
  const command = { kind: 'hold', amount, expiresInS, programId } as const;
  return { activity: 'hold', command, of: 'hold', amount, asked: [amount, expires_in_s ?? null], note: body };
}

function adjust({ programId }: AccountTerms, body: giftcards.Adjust): Wanted {
  const { direction, amount, reason } = body;
  const activity = direction === 'in' ? 'adjust_increment' : 'adjust_decrement';
  // A card has one last day: nothing on it has another.
  const command = { kind: 'adjust', direction, amount, reason, expiry: null, programId } as const;
  return { activity, command, of: 'adjust', amount, asked: [amount, reason], note: body };
}

function clearBalance({ programId }: AccountTerms, { reason }: giftcards.Because): Wanted {
  const command = { kind: 'clear', as: { kind: 'adjust', reason }, programId } as const;
  return { activity: 'clear_balance', command, of: 'adjust', amount: 0, asked: [reason] };
}

function block({ programId }: AccountTerms, { reason }: giftcards.Because): Wanted {
  const command = { kind: 'freeze', reason, programId } as const;
  return { activity: 'block', command, of: 'freeze', amount: 0, asked: [reason] };
}

/** Between cards of one program. The other card's state forbids it as this one's does. */
async function transfer(ports: HandlerPorts, request: CoreRequest<'giftcards.transfer'>): Promise<CoreAnswer> {
  const { body } = request;
  const from = await ownCard(ports, request);
  const to = await ownCard(ports, request, body.to_giftcard_id);
  if (to.id === from.id) throw new ProblemError('invalid_request', { errors: [itself] });
  if (to.program_id !== from.program_id) throw new ProblemError('program_mismatch');
  const terms = await termsOf(ports, from);
  const { programId } = terms;
  const amount = body.amount ?? null;
  const asked = ['giftcard transfer_out', to.id, amount];
  const nowMs = ports.nowMs();
  const own = barOf(from, 'transfer_out', nowMs);
  const code = own ?? barOf(to, 'transfer_in', nowMs);
  const movement = { terms, to: giftcardAccount(to.id), amount, asked, note: body };
  if (code === null) return ports.ledger.desk.answerTransfer(request, movement, transactionActivityJson);
  const of = own === null ? 'transfer_in' : 'transfer_out';
  // As a transfer, too: its first try may have left the one card, and be on its way to the other, or back.
  const instead = { kind: 'decline', of, amount: amount ?? 0, code, programId } as const;
  return ports.ledger.desk.answerTransfer(request, { ...movement, instead }, transactionActivityJson);
}

const itself = { pointer: '/to_giftcard_id', code: 'custom', detail: 'is the card that it comes from' };

/** For other modules: what they ask, or its decline. */
export function admitted(card: CardRow, activity: 'hold' | 'refund', command: Command, nowMs: number): Command {
  const code = barOf(card, activity, nowMs);
  if (code === null) return command;
  const of = kindOf(activity, command);
  const amount = 'amount' in command ? (command.amount ?? 0) : 0;
  return { kind: 'decline', of, amount, code, programId: command.programId };
}

function kindOf(activity: 'hold' | 'refund', { kind }: Command): TransactionKind {
  if (activity !== 'refund') return activity;
  return kind === 'load' || kind === 'adjust' ? kind : 'reverse';
}
