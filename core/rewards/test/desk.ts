/**
 * A ledger of one account behind the desk, which remembers keys as the ledger does; and a saboteur of ports, that fails the n-th
 * call: before it did anything, or after it did everything.
 */

import { type AccountId, problem, type TransactionId, uuidV7 } from '@local-plus/contracts';
import type { Order, Receipt } from '../../ledger/index.ts';
import { ProblemError } from '../../platform/http/index.ts';

export class FakeDesk {
  balance: number;
  /** Reversals are refused. */
  isFull = false;
  /** Reversals that were refused, each under a key of its own. */
  refusals = 0;
  readonly #receipts = new Map<string, Receipt>();

  constructor(balance: number) {
    this.balance = balance;
  }

  async post({ key, command, terms }: Order): Promise<Receipt> {
    const known = this.#receipts.get(key);
    if (known !== undefined) return { ...known, replayed: true };
    const receipt = this.#decide(command, terms.accountId);
    this.#receipts.set(key, receipt);
    return receipt;
  }

  #decide(command: Order['command'], accountId: AccountId): Receipt {
    if (command.kind === 'burn') {
      if (command.amount > this.balance) return refused('insufficient_funds');
      this.balance -= command.amount;
      return posted(accountId, 'burn', command.amount);
    }
    if (command.kind !== 'reverse') throw new Error('nothing else is asked of the ledger');
    if (this.isFull) {
      this.refusals++;
      return refused('balance_limit_exceeded');
    }
    this.balance += command.original.amount;
    return posted(accountId, 'reverse', command.original.amount);
  }
}

function refused(code: 'insufficient_funds' | 'balance_limit_exceeded'): Receipt {
  return { type: 'refused', code, problem: problem(code, uuidV7(0)), replayed: false };
}

function posted(accountId: AccountId, kind: 'burn' | 'reverse', amount: number): Receipt {
  const id = uuidV7<TransactionId>(Date.now());
  const original = { transactionId: id, version: 1, kind, amount, balanceDelta: -amount, detail: null };
  const after = { balanceAfter: 0, heldAfter: 0, atMs: 0 };
  return { type: 'posted', replayed: false, transaction: { id, accountId, version: 1, amount, ...after, original } };
}

/** Counts calls of whatever it guards; one of them fails. */
export class Saboteur {
  calls = 0;
  readonly #failing: number | null;
  readonly #isBefore: boolean;

  /** @param failing which call, from 1; null: none */
  constructor(failing: number | null, isBefore: boolean) {
    this.#failing = failing;
    this.#isBefore = isBefore;
  }

  guard<Arguments extends readonly unknown[], Result>(
    call: (...given: Arguments) => Promise<Result>,
  ): (...given: Arguments) => Promise<Result> {
    return async (...given) => {
      this.calls++;
      const fails = this.calls === this.#failing;
      if (fails && this.#isBefore) throw new ProblemError('unavailable');
      const [result] = await Promise.allSettled([call(...given)]);
      if (fails) throw new ProblemError('unavailable');
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    };
  }
}
