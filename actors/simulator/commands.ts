/** What clients want: an operation drawn at random, from what its clients can know of the accounts. */
import type { AccountId } from '@local-plus/contracts';
import type { Clearing, Command, ExpiryRule, Original, ReversalPolicy } from '../account/model.ts';
import type { Book } from './book.ts';
import { programId, type Wanted } from './operations.ts';
import type { OperationKind, Plan } from './plan.ts';
import type { Random } from './random.ts';

type Key = Wanted['key'];

/** A request's parts, the first one first. */
export type Parts = readonly [Wanted, ...Wanted[]];

const AMOUNT_MAX = 30;
/** Not as a transfer: its other side is a request of its own, and its histories are in transfers/. */
const clearings: readonly Clearing[] = [{ kind: 'redeem' }, { kind: 'expire' }, { kind: 'adjust', reason: 'cleared' }];

export class Commands {
  readonly #random: Random;
  readonly #plan: Plan;
  readonly #accounts: readonly AccountId[];
  readonly #book: (accountId: AccountId) => Book;

  constructor(random: Random, plan: Plan, accounts: readonly AccountId[], book: (accountId: AccountId) => Book) {
    this.#random = random;
    this.#plan = plan;
    this.#accounts = accounts;
    this.#book = book;
  }

  /**
   * @param reused whose key is taken once more: by the whole request, or by a part of it
   * @param wallMs what time it is by a right clock
   */
  draw(account: AccountId, freshKey: Key, reused: Wanted | null, wallMs: number): Parts {
    if (reused !== null && this.#plan.kinds.includes('group') && this.#random.chance(0.3)) {
      return this.#group(account, freshKey, reused);
    }
    const accountId = reused?.accountId ?? account;
    const key = reused?.key ?? freshKey;
    const book = this.#book(accountId);
    const isDue = book.dueAtMs() <= wallMs && this.#plan.kinds.includes('due') && this.#random.chance(0.3);
    const kind = isDue ? 'due' : this.#random.pick(this.#plan.kinds);
    if (kind === 'transfer') return this.#transfer(accountId, key);
    if (kind === 'group') return this.#group(accountId, key, null);
    // As the sweep does it: what is due in a version is posted once, whoever asks.
    const dueKey = `due ${book.shownVersion}` as Key;
    return [{ accountId, key: kind === 'due' ? dueKey : key, command: this.#command(kind, book) }];
  }

  #command(kind: Exclude<OperationKind, 'transfer' | 'group'>, book: Book): Command {
    const random = this.#random;
    const amount = random.between(1, AMOUNT_MAX);
    switch (kind) {
      case 'earn':
        return { kind, programId, amount, expiry: this.#expiry() };
      case 'burn':
      case 'load':
      case 'redeem':
        return { kind, programId, amount };
      case 'adjust': {
        const direction = random.chance(0.5) ? 'in' : 'out';
        return { kind, programId, amount, direction, reason: 'adjusted', expiry: this.#expiry() };
      }
      case 'hold':
        return { kind, programId, amount, expiresInS: random.pick([1, 60, 86_400, 864_000]) };
      case 'capture': {
        const hold = this.#holdOf(book);
        const some = random.chance(0.5) ? null : random.between(1, 10);
        return { kind, programId, hold, amount: some, final: random.chance(0.5) };
      }
      case 'release':
        return { kind, programId, hold: this.#holdOf(book) };
      case 'reverse':
        return this.#reversal(book, amount);
      case 'freeze':
      case 'unfreeze':
        return { kind, programId, reason: kind };
      case 'clear':
        return { kind, programId, as: random.pick(clearings) };
      case 'decline':
        return { kind, programId, of: 'redeem', amount, code: 'giftcard_expired' };
      case 'due':
        return { kind, programId };
    }
  }

  #expiry(): ExpiryRule | null {
    if (this.#random.chance(0.4)) return null;
    return { period: 'days', count: this.#random.between(1, 6), endOfMonth: false };
  }

  /** An open one; sometimes one that is not there any more, or never was. */
  #holdOf(book: Book): number {
    const open = [...book.holds.keys()];
    if (open.length > 0 && this.#random.chance(0.9)) return this.#random.pick(open);
    return this.#random.between(1, book.version + 1);
  }

  /** Only what a client was told of can be reversed. */
  #reversal(book: Book, amount: number): Command {
    const random = this.#random;
    if (book.shownVersion === 0) return { kind: 'burn', programId, amount };
    const row = book.rows[random.below(book.shownVersion)];
    if (row === undefined) throw new Error('what was shown is committed');
    const { version, kind, balanceDelta, detail } = row.posting;
    const original: Original = {
      transactionId: row.transactionId,
      version,
      kind,
      amount: row.posting.amount,
      balanceDelta,
      detail,
    };
    const policies: readonly ReversalPolicy[] = [
      { type: 'refuse' },
      { type: 'negative', limit: 40 },
      { type: 'recover' },
    ];
    const policy = random.pick(policies);
    const part = random.chance(0.5) ? null : random.between(1, 10);
    return { kind: 'reverse', programId, original, amount: part, reason: null, policy };
  }

  #transfer(from: AccountId, key: Key): Parts {
    const partners = this.#accounts.filter((accountId) => accountId !== from);
    const amount = this.#random.between(1, AMOUNT_MAX);
    if (partners.length === 0) return [{ accountId: from, key, command: { kind: 'burn', programId, amount } }];
    const partner = this.#random.pick(partners);
    const inKey = `transfer ${from} ${key}` as Key;
    return [
      { accountId: from, key, command: { kind: 'transfer_out', programId, amount, partner } },
      { accountId: partner, key: inKey, command: { kind: 'transfer_in', programId, amount, partner: from } },
    ];
  }

  /** Two to four commands, of the same account or of others, all or none. */
  #group(first: AccountId, key: Key, reused: Wanted | null): Parts {
    const random = this.#random;
    const also: Wanted[] = [];
    for (let index = 1; index <= random.between(1, 3); index++) {
      const accountId = random.chance(0.5) ? first : random.pick(this.#accounts);
      const command = this.#command(random.pick(['earn', 'burn', 'hold']), this.#book(accountId));
      // Some derived, as a transfer's; some as clients choose them.
      const ownKey = (random.chance(0.5) ? `group ${key} ${index}` : `${key}.${index}`) as Key;
      also.push({ accountId, key: ownKey, command });
    }
    if (reused !== null) also.push({ ...reused, command: this.#command('earn', this.#book(reused.accountId)) });
    return [
      { accountId: first, key, command: this.#command(random.pick(['earn', 'burn']), this.#book(first)) },
      ...also,
    ];
  }
}
