/**
 * Holds what the processes answer and show against what the judge knows to be committed.
 *
 * I3: answered ⇒ in the ledger, exactly so, and for every asking the same; said not to have happened ⇒ not in it.
 * I4: nothing is answered or shown that is not committed, and nobody is taken back in time:
 *     - a process shows only states that were committed, and never an older one than it showed before;
 *     - the writer's owner never shows an older one than any owner has answered or shown before the read began;
 *     - a process that was superseded and does not know it may be behind, for as long as it does not know.
 * L, in part: every answer is there at its deadline, or one look-through (`sweepMs`) later.
 */
import type { AccountId } from '@local-plus/contracts';
import type { AccountState } from '../account/model.ts';
import type { StoredOutcome } from '../ports.ts';
import type { Outcome, Posted } from '../runtime/outcome.ts';
import type { Book } from './book.ts';
import type { Core } from './core.ts';
import type { Judge } from './judge.ts';
import type { Attempt } from './operations.ts';
import type { World } from './world.ts';

type Wrong = readonly [invariant: string, what: string];

/** What a read began with. */
export interface ReadStart {
  readonly core: Core;
  readonly book: Book;
  /** The process showed it before. */
  readonly ownVersionMin: number;
  /** An owner answered or showed it before. */
  readonly versionMin: number;
  /** Whose time it was; null: not this core's. */
  readonly reign: number | null;
}

export class Answers {
  readonly #world: World;
  readonly #judge: Judge;
  /** Per core and account: the newest version that it has shown to a reader. */
  readonly #shown = new Map<Core, Map<AccountId, number>>();
  reads = 0;

  constructor(world: World, judge: Judge) {
    this.#world = world;
    this.#judge = judge;
  }

  answered(attempt: Attempt, outcome: Outcome): void {
    const { operation, core } = attempt;
    const wrong = this.#wrongWith(attempt, outcome);
    attempt.outcome = outcome;
    if (wrong === null) return;
    const [invariant, what] = wrong;
    this.#world.violate(invariant, `operation ${operation.number} at ${core.name}: ${outcome.type}, but ${what}`);
  }

  startRead(core: Core, accountId: AccountId): ReadStart {
    const book = this.#judge.book(accountId);
    return {
      core,
      book,
      ownVersionMin: this.#shown.get(core)?.get(accountId) ?? 0,
      versionMin: book.shownVersion,
      reign: this.#judge.isReigning(core) ? this.#judge.reigns : null,
    };
  }

  endRead({ core, book, ownVersionMin, versionMin, reign }: ReadStart, state: AccountState): void {
    this.reads++;
    const isOwner = reign === this.#judge.reigns && this.#judge.isReigning(core);
    if (!isOwner) this.#world.meet('read by a zombie');
    if (state.version < book.version) this.#world.meet('read while a commit was in the air');
    const wrong = book.compare(state);
    if (wrong !== null) this.#world.violate('I4', `${core.name} shows what is not committed: ${wrong}`);
    const min = isOwner ? Math.max(ownVersionMin, versionMin) : ownVersionMin;
    if (state.version < min) this.#world.violate('I4', `${core.name} shows version ${state.version}, after ${min}`);
    const shown = this.#shown.get(core) ?? new Map<AccountId, number>();
    this.#shown.set(core, shown);
    shown.set(book.accountId, Math.max(shown.get(book.accountId) ?? 0, state.version));
    if (isOwner) book.shownVersion = Math.max(book.shownVersion, state.version);
  }

  #wrongWith(attempt: Attempt, outcome: Outcome): Wrong | null {
    const { operation, requestId, core, deadlineMs } = attempt;
    if (attempt.outcome !== null) return ['I3', `it was answered before: ${attempt.outcome.type}`];
    const lateMs = this.#world.nowMs - deadlineMs - this.#world.plan.limits.sweepMs;
    if (lateMs > 0 && !core.wasPaused) return ['L', `${lateMs} ms too late`];
    const [first] = operation.parts;
    const settled = this.#judge.settled(first.accountId, first.key);
    switch (outcome.type) {
      case 'posted':
        return this.#wrongWithPosted(attempt, outcome, settled);
      case 'refused':
        return this.#wrongWithRefused(attempt, outcome, settled);
      case 'key_reused':
        this.#world.meet('key reused');
        return this.#hasStrangeKey(attempt) ? null : ['I3', 'no other request has its key'];
      case 'unavailable':
        this.#world.meet('unavailable');
        return null;
      case 'failed':
        this.#world.meet('failed');
        if (!this.#judge.mayFail(attempt)) return ['I3', 'nothing is wrong with it'];
        break;
      case 'expired':
      case 'overloaded':
        this.#world.meet(outcome.type);
        break;
    }
    return settled?.facts.requestId === requestId ? ['I3', 'it is in the ledger'] : null;
  }

  /** The key of the request or of a part of it belongs to another one. */
  #hasStrangeKey({ operation }: Attempt): boolean {
    return operation.parts.some(({ accountId, key }) => {
      const settled = this.#judge.settled(accountId, key);
      return settled !== undefined && settled.facts.requestHash !== operation.requestHash;
    });
  }

  #wrongWithPosted(
    attempt: Attempt,
    outcome: Extract<Outcome, { type: 'posted' }>,
    settled: StoredOutcome | undefined,
  ): Wrong | null {
    const { operation, core } = attempt;
    if (settled?.type !== 'posted') return ['I4', `its key is ${settled?.type ?? 'not in the ledger'}`];
    const other = strangeTo(attempt, settled, outcome.replayed);
    if (other !== null) return ['I3', other];
    if (!isSamePosting(outcome, settled)) return ['I3', 'the ledger has another transaction'];
    if (outcome.replayed) this.#world.meet('replayed');
    this.#answeredBy(core, outcome, !outcome.replayed);
    if (outcome.replayed) return null;
    const [, ...also] = operation.parts;
    if (outcome.also.length !== also.length) return ['I3', 'a part of it is missing'];
    if (also.length > 0) this.#world.meet('several parts posted');
    for (const [index, { accountId, key }] of also.entries()) {
      const part = this.#judge.settled(accountId, key);
      const posted = outcome.also[index] as Posted;
      if (part?.type !== 'posted' || !isSamePosting(posted, part))
        return ['I3', `part ${index + 1} is not in the ledger`];
      this.#answeredBy(core, posted, true);
    }
    return null;
  }

  #wrongWithRefused(
    attempt: Attempt,
    { row, replayed }: Extract<Outcome, { type: 'refused' }>,
    settled: StoredOutcome | undefined,
  ): Wrong | null {
    if (settled?.type !== 'refused') return ['I4', `its key is ${settled?.type ?? 'not in the ledger'}`];
    const other = strangeTo(attempt, settled, replayed);
    if (other !== null) return ['I3', other];
    this.#world.meet(attempt.operation.parts.length > 1 ? 'several parts refused' : 'refused by the account');
    const same = settled.code === row.code && settled.version === row.version && settled.balance === row.balance;
    return same && settled.part === row.part ? null : ['I3', 'the ledger has another refusal'];
  }

  /** What was answered may not be unseen by later reads; a zombie's replay may know more than the owner was told yet. */
  #answeredBy(core: Core, { row }: Posted, isFirstHand: boolean): void {
    if (!isFirstHand && !this.#judge.isReigning(core)) return;
    const book = this.#judge.book(row.facts.accountId);
    book.shownVersion = Math.max(book.shownVersion, row.posting.version);
  }
}

/** Whether the ledger's outcome belongs to somebody else than the one who is told it. */
function strangeTo({ operation, requestId }: Attempt, { facts }: StoredOutcome, replayed: boolean): string | null {
  if (facts.requestHash !== operation.requestHash) return 'it belongs to another request';
  return replayed || facts.requestId === requestId ? null : 'it was made by another asking';
}

function isSamePosting(told: Posted, stored: Extract<StoredOutcome, { type: 'posted' }>): boolean {
  const { posting, facts, hash } = told.row;
  return (
    told.transactionId === stored.transactionId &&
    hash === stored.hash &&
    facts.requestId === stored.facts.requestId &&
    posting.version === stored.posting.version &&
    posting.amount === stored.posting.amount &&
    posting.balanceAfter === stored.posting.balanceAfter &&
    posting.heldAfter === stored.posting.heldAfter
  );
}
