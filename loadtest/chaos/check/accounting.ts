/**
 * I3 as a check of every key against the ledger: what was answered is there once, as it was answered; what was refused is
 * not; what nobody knows is there once or not at all; and nothing is there that nobody asked for. Pure.
 *
 * A transfer has up to three rows: the giver's under the client's key, the receiver's under `transfer <giver> <key>`, and, where the
 * receiver refused, the giver's `return <key>`. What falls due is posted under `due <version>`.
 */
import { type CheckResult, type LedgerRow, Violations } from '../../reconcile/checks.ts';
import type { Call } from '../history.ts';
import type { StoredRefusal } from '../stage/observer.ts';
import { type Claim, kindOf, nameOf } from './claims.ts';

/** By account and key: the store's own notion of one request. */
const placeOf = (accountId: string, key: string): string => `${accountId} ${key}`;

export interface Found {
  own: LedgerRow[];
  arrivals: LedgerRow[];
  returns: LedgerRow[];
}

/** Which rows belong to which claim. */
export function findRows(
  claims: readonly Claim[],
  rows: readonly LedgerRow[],
): { found: Map<Claim, Found>; unasked: LedgerRow[] } {
  const found = new Map<Claim, Found>();
  const places = new Map<string, (row: LedgerRow) => void>();
  for (const claim of claims) {
    const mine: Found = { own: [], arrivals: [], returns: [] };
    found.set(claim, mine);
    const { walletId, toWalletId, key } = claim;
    places.set(placeOf(walletId, key), (row) => mine.own.push(row));
    if (toWalletId === null) continue;
    places.set(placeOf(toWalletId, `transfer ${walletId} ${key}`), (row) => mine.arrivals.push(row));
    places.set(placeOf(walletId, `return ${key}`), (row) => mine.returns.push(row));
  }
  const unasked: LedgerRow[] = [];
  for (const row of rows) {
    const take = places.get(placeOf(row.accountId, row.idempotencyKey));
    if (take !== undefined) take(row);
    else if (!row.idempotencyKey.startsWith('due ')) unasked.push(row);
  }
  return { found, unasked };
}

export interface Accounting {
  readonly results: readonly CheckResult[];
  /** Of the claims whose outcome nobody was told: how many there are, and how many of them happened. */
  readonly unknown: number;
  readonly unknownHappened: number;
}

export function checkAccounting(
  claims: readonly Claim[],
  rows: readonly LedgerRow[],
  refusals: readonly StoredRefusal[],
): Accounting {
  const { found, unasked } = findRows(claims, rows);
  const check = new AccountingCheck(found, refusals);
  for (const claim of claims) check.add(claim);
  return check.judged(rows.length, unasked);
}

class AccountingCheck {
  readonly #posted = new Violations('I3 what was answered is in the ledger once, as it was answered');
  readonly #same = new Violations('I3 a second answer to a key equals the first');
  readonly #refused = new Violations('I3 what was refused is not in the ledger, and stays refused');
  readonly #unanswered = new Violations('I3 what was not answered is in the ledger once or not at all');
  readonly #unasked = new Violations('I3 the ledger has nothing that nobody asked for');
  readonly #sense = new Violations('I3 no right request is told that it is wrong');
  readonly #found: ReadonlyMap<Claim, Found>;
  readonly #stored: ReadonlySet<string>;
  #happened = 0;

  constructor(found: ReadonlyMap<Claim, Found>, refusals: readonly StoredRefusal[]) {
    this.#found = found;
    this.#stored = new Set(refusals.map(({ accountId, key }) => placeOf(accountId, key)));
  }

  add(claim: Claim): void {
    const say = (what: string): string => `${nameOf(claim)} ${what}`;
    this.#same.looked += claim.calls.length - 1;
    if (claim.contradiction !== null) this.#same.add(say(claim.contradiction));
    this.#sense.looked++;
    for (const what of claim.calls.flatMap(strangeAnswers)) this.#sense.add(say(what));
    this.#judge(claim, this.#found.get(claim) as Found, say);
  }

  judged(rows: number, unasked: readonly LedgerRow[]): Accounting {
    this.#unasked.looked = rows;
    for (const row of unasked) {
      this.#unasked.add(`${row.kind} ${row.idempotencyKey} of account ${row.accountId}`);
    }
    const unknown = this.#unanswered.looked;
    const note = unknown > 0 ? `${this.#happened} of them happened` : undefined;
    const results = [
      this.#posted.result(),
      this.#same.result(),
      this.#refused.result(),
      this.#unanswered.result(note),
      this.#unasked.result(),
      this.#sense.result(),
    ];
    return { results, unknown, unknownHappened: this.#happened };
  }

  #judge(claim: Claim, mine: Found, say: (what: string) => string): void {
    switch (claim.outcome) {
      case 'ok':
        this.#posted.looked++;
        for (const what of notAsAnswered(claim, mine)) this.#posted.add(say(what));
        break;
      case 'refused':
        this.#refused.looked++;
        if (!isUndone(mine)) this.#refused.add(say(`was refused and is in the ledger (${describe(mine)})`));
        else if (!isStored(claim, this.#stored)) this.#refused.add(say('was refused, but not for good'));
        break;
      case 'rejected':
        this.#refused.looked++;
        if (mine.own.length > 0) this.#refused.add(say('was rejected and is in the ledger'));
        break;
      case 'unknown':
        this.#unanswered.looked++;
        if (isOnce(claim, mine)) this.#happened++;
        else if (!isUndone(mine)) this.#unanswered.add(say(`is neither done nor undone (${describe(mine)})`));
        break;
    }
  }
}

function describe({ own, arrivals, returns }: Found): string {
  return `${own.length} of its own, ${arrivals.length} arrivals, ${returns.length} returns`;
}

function isOnce(claim: Claim, { own, arrivals, returns }: Found): boolean {
  return own.length === 1 && returns.length === 0 && arrivals.length === (claim.operation === 'transfer' ? 1 : 0);
}

/** It never was, or has left and come back. */
function isUndone({ own, arrivals, returns }: Found): boolean {
  return arrivals.length === 0 && own.length === returns.length && own.length <= 1;
}

function isStored({ walletId, toWalletId, key }: Claim, stored: ReadonlySet<string>): boolean {
  if (stored.has(placeOf(walletId, key))) return true;
  return toWalletId !== null && stored.has(placeOf(toWalletId, `transfer ${walletId} ${key}`));
}

function notAsAnswered(claim: Claim, mine: Found): string[] {
  const [row] = mine.own;
  if (row === undefined || !isOnce(claim, mine)) return [`was answered with a success: ${describe(mine)}`];
  const faults: string[] = [];
  if (row.kind !== kindOf[claim.operation]) faults.push(`stands in the ledger as ${row.kind}`);
  if (claim.amount !== null && row.amount !== claim.amount)
    faults.push(`asked for ${claim.amount}, moved ${row.amount}`);
  const [arrival] = mine.arrivals;
  if (arrival !== undefined && arrival.amount !== row.amount)
    faults.push(`left with ${row.amount}, came with ${arrival.amount}`);
  const answer = claim.calls.find(({ outcome }) => outcome === 'ok')?.answer as Readonly<
    Record<string, unknown>
  > | null;
  for (const [member, value] of Object.entries(answerOf(claim, row))) {
    if (answer?.[member] !== value) faults.push(`was answered ${member} ${answer?.[member]}, the ledger has ${value}`);
  }
  return faults;
}

/** What of an answer has to be as the row says. */
function answerOf(claim: Claim, row: LedgerRow): Readonly<Record<string, string | number>> {
  const common = { id: row.transactionId, amount: row.amount, created_at: row.occurredAt };
  if (claim.operation === 'hold') return { ...common, wallet_id: row.accountId };
  if (claim.operation === 'transfer') {
    return { ...common, from_wallet_id: claim.walletId, to_wallet_id: claim.toWalletId ?? '' };
  }
  return {
    ...common,
    wallet_id: row.accountId,
    kind: row.kind,
    balance_after: row.balanceAfter,
    held_after: row.heldAfter,
    version: row.version,
  };
}

/** Every request of a run is right: trouble may delay it, and its account may refuse it, but nothing else. */
function strangeAnswers({ attempts, outcome }: Call): string[] {
  const strange = attempts.filter(
    ({ status, code }) => status >= 500 && (code === 'internal' || code === 'no problem document'),
  );
  const rejected = outcome === 'rejected' ? attempts.slice(-1) : [];
  return [...strange, ...rejected].map(({ status, code }) => `was told ${status} ${code}`);
}
