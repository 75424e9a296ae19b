/**
 * The ledger's desk for other modules of core: gift cards, rewards, payments move value here and nowhere else.
 *
 * - K1 an order is one movement of one account, under a key that its module makes of its own row. So a module that was killed
 *   between its row and the ledger orders again, with the same key, and has the first outcome.
 * - K2 the keys of modules have a space, which no caller's key has: see {@link deskKey}. Neither can take the other's.
 * - K3 an outcome is durable, or a `ProblemError` is thrown: then nothing happened, or the same key tells later.
 *
 * Whose account it is, and whether the caller may, is for the module to have asked.
 */
import type { Command, Original, Outcome, PostedRow, RefusalCode } from '@local-plus/actors';
import type { AccountId, IdempotencyKey, Problem, RequestId, TransactionId } from '@local-plus/contracts';
import { type CoreAnswer, type CoreRequest, ProblemError } from '../platform/http/index.ts';
import type { AccountRuntime } from './account-runtime.ts';
import { answerOf, factsOf, failure, type Movement, type Note, type Show, submit } from './submission.ts';
import type { AccountTerms } from './terms.ts';
import type { LedgerTransfers } from './transfers.ts';
import { refusalProblem } from './wire.ts';

export interface Order {
  readonly terms: AccountTerms;
  readonly command: Command;
  /** By {@link deskKey}. */
  readonly key: IdempotencyKey;
  /** The request that caused it, or one of the module's own for what nobody asked for. */
  readonly requestId: RequestId;
  readonly traceparent: string | null;
  readonly note?: Note;
  /** On the clock of `performance.now()`. */
  readonly deadlineMs: number;
}

/** What became of an order; `replayed`: an earlier one with its key made it. */
export type Receipt =
  | { readonly type: 'posted'; readonly transaction: DeskTransaction; readonly replayed: boolean }
  | { readonly type: 'refused'; readonly code: RefusalCode; readonly problem: Problem; readonly replayed: boolean };

export interface DeskTransaction {
  readonly id: TransactionId;
  readonly accountId: AccountId;
  /** Of a hold: what its capture and release name it by. */
  readonly version: number;
  readonly amount: number;
  readonly balanceAfter: number;
  readonly heldAfter: number;
  readonly atMs: number;
  /** What its reversal has to know of it. */
  readonly original: Original;
}

/** From one account to another of the same program. */
export interface TransferOrder extends Omit<Order, 'command'> {
  readonly to: AccountId;
  /** null: all that is available, which is known once it is posted. */
  readonly amount: number | null;
  /** With an amount of null: out of a frozen account, too. */
  readonly evenFrozen?: boolean;
}

/** A client's transfer, as {@link Movement}. */
export interface TransferMovement extends Omit<Movement, 'command'> {
  readonly to: AccountId;
  readonly amount: number | null;
  /** As of `TransferRequest`: what is asked in its place. */
  readonly instead?: Command;
}

/** All throw a `ProblemError`: `overloaded`, `deadline_exceeded`, `unavailable`, `idempotency_key_reused`, `internal`. */
export interface Desk {
  post(order: Order): Promise<Receipt>;
  /** The receipt is of the outgoing side; refused by either account, everything is where it was. */
  transfer(order: TransferOrder): Promise<Receipt>;
  /** What a client asks of a module's account, under the client's own key, answered as the ledger's own routes answer. */
  answer(request: CoreRequest, movement: Movement, show: Show): Promise<CoreAnswer>;
  answerTransfer(request: CoreRequest, movement: TransferMovement, show: Show): Promise<CoreAnswer>;
}

/**
 * @param module its name, so that no two modules share a key
 * @param row the id of the module's row
 * @param step what is done for it, where that is more than one thing
 */
export function deskKey(module: string, row: string, step: string): IdempotencyKey {
  return `${module} ${row} ${step}` as IdempotencyKey;
}

/** Modules whose movements nobody else undoes or goes on with: what they know of them would not be so any more. */
const managing: ReadonlySet<string> = new Set(['payments', 'rewards']);

/** Throws `transaction_managed` for what such a module has posted. */
export function refuseManaged({ facts }: PostedRow): void {
  const [module = ''] = facts.idempotencyKey.split(' ', 1);
  const isOfModule = module.length < facts.idempotencyKey.length && managing.has(module);
  if (isOfModule) throw new ProblemError('transaction_managed', { detail: `It belongs to one of the ${module}.` });
}

export interface DeskPorts {
  readonly runtime: Pick<AccountRuntime, 'submit'>;
  readonly transfers: Pick<LedgerTransfers, 'transfer'>;
}

export function ledgerDesk({ runtime, transfers }: DeskPorts): Desk {
  return {
    async post(order) {
      const { terms, command, deadlineMs } = order;
      const facts = factsOfOrder(order, askedOf(command));
      return receiptOf(await runtime.submit({ facts, command, tenant: terms.merchantId, deadlineMs }));
    },
    async transfer(order) {
      const { terms, to, amount, evenFrozen = false, deadlineMs } = order;
      const facts = factsOfOrder(order, ['transfer_out', to, amount]);
      const kept = { facts, to, amount, tenant: terms.merchantId, deadlineMs };
      return receiptOf(await transfers.transfer(evenFrozen ? { ...kept, evenFrozen } : kept));
    },
    answer: (request, movement, show) => submit({ runtime }, request, movement, show),
    async answerTransfer(request, movement, show) {
      const { terms, to, amount, instead } = movement;
      const { deadlineMs } = request;
      const kept = { facts: factsOf(request, movement), to, amount, tenant: terms.merchantId, deadlineMs };
      const outcome = await transfers.transfer(instead === undefined ? kept : { ...kept, instead });
      return answerOf(outcome, terms.unit, show);
    },
  };
}

function factsOfOrder(order: Omit<Order, 'command'>, asked: Movement['asked']) {
  const { terms, key, note = {} } = order;
  return factsOf({ ...order, idempotencyKey: key }, { terms, asked, note });
}

/**
 * The key is the module's own and names one movement: what it is compared by is the kind and the amount. What is declined
 * counts as what was asked: asked again when the state has changed, it has its first outcome.
 */
function askedOf(command: Command): readonly (string | number | null)[] {
  if (command.kind === 'decline') return [command.of, command.amount];
  return [command.kind, 'amount' in command ? command.amount : null];
}

function receiptOf(outcome: Outcome): Receipt {
  switch (outcome.type) {
    case 'posted':
      return {
        type: 'posted',
        transaction: transactionOf(outcome.row, outcome.transactionId),
        replayed: outcome.replayed,
      };
    case 'refused': {
      const { row, replayed } = outcome;
      return { type: 'refused', code: row.code, problem: refusalProblem(row), replayed };
    }
    default:
      throw failure(outcome);
  }
}

function transactionOf({ facts, posting }: PostedRow, id: TransactionId): DeskTransaction {
  const { version, kind, amount, balanceDelta, balanceAfter, heldAfter, occurredAtMs, detail } = posting;
  const original = { transactionId: id, version, kind, amount, balanceDelta, detail };
  return { id, accountId: facts.accountId, version, amount, balanceAfter, heldAfter, atMs: occurredAtMs, original };
}
