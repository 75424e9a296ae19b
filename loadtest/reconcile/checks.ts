/**
 * The invariants as checks over rows. Pure: rows go in, in order; a verdict comes out. No check keeps more
 * than it needs to judge the next row, except the claims and the events, which are what it is judged against.
 *
 * - I1 {@link EntriesCheck}
 *   and of transfers {@link TransitCheck}
 * - I2 {@link AccountsCheck}
 * - I3 {@link ClaimsCheck}
 * - I5 events.ts
 *
 * Must not know: where rows come from.
 */
import { type Claim, type Claims, claimKey, differenceOf, runOf } from './record.ts';

export interface CheckResult {
  readonly name: string;
  readonly looked: number;
  readonly violations: number;
  /** The first violation in words. */
  readonly first: string | null;
  /** Said beside the result when there is none. */
  readonly note?: string;
}

/** Counts violations and keeps the first. */
export class Violations {
  readonly #name: string;
  #count = 0;
  #first: string | null = null;
  looked = 0;

  constructor(name: string) {
    this.#name = name;
  }

  add(what: string): void {
    this.#count++;
    this.#first ??= what;
  }

  result(note?: string): CheckResult {
    const result = { name: this.#name, looked: this.looked, violations: this.#count, first: this.#first };
    return note === undefined ? result : { ...result, note };
  }
}

export interface EntryRow {
  readonly seq: string;
  readonly leg: number;
  readonly amount: number;
}

/** I1. Rows in the order of `seq`, `leg`. */
export class EntriesCheck {
  readonly #perTransaction = new Violations('I1 the entries of each transaction sum to zero');
  readonly #all = new Violations('I1 all entries sum to zero');
  #seq: string | null = null;
  #legs = 0;
  #sum = 0;
  #total = 0n;

  add(row: EntryRow): void {
    if (row.seq !== this.#seq) this.#close();
    this.#seq = row.seq;
    this.#legs++;
    this.#sum += row.amount;
    this.#total += BigInt(row.amount);
    this.#all.looked++;
  }

  results(): CheckResult[] {
    this.#close();
    if (this.#total !== 0n) this.#all.add(`the sum of all entries is ${this.#total}`);
    return [this.#perTransaction.result(), this.#all.result()];
  }

  #close(): void {
    if (this.#seq === null) return;
    this.#perTransaction.looked++;
    if (this.#legs !== 2) this.#perTransaction.add(`seq ${this.#seq} has ${this.#legs} entries instead of 2`);
    else if (this.#sum !== 0) this.#perTransaction.add(`the entries of seq ${this.#seq} sum to ${this.#sum}`);
    this.#seq = null;
    this.#legs = 0;
    this.#sum = 0;
  }
}

/** What stands on a program's transit account, and what transfers across lanes that are on their way explain of it. */
export interface TransitRow {
  readonly programId: string;
  readonly transit: number;
  readonly open: number;
  readonly openCount: number;
}

/** I1 between accounts of two lanes: what left one and did neither arrive nor come back is open, and in transit. */
export class TransitCheck {
  readonly #transit = new Violations('I1 open transfers are what is in transit');
  #open = 0;

  add({ programId, transit, open, openCount }: TransitRow): void {
    this.#transit.looked++;
    this.#open += openCount;
    if (transit === open) return;
    this.#transit.add(`${transit} are in transit in program ${programId}; its ${openCount} open transfers are ${open}`);
  }

  result(): CheckResult {
    return this.#transit.result(this.#open === 0 ? undefined : `${this.#open} transfers are on their way`);
  }
}

export interface LedgerRow {
  readonly accountId: string;
  readonly version: number;
  readonly transactionId: string;
  readonly kind: string;
  readonly amount: number;
  readonly balanceDelta: number;
  readonly balanceAfter: number;
  readonly heldAfter: number;
  readonly idempotencyKey: string;
  /** RFC 3339, milliseconds. */
  readonly occurredAt: string;
}

/** I2. Rows in the order of account, version. */
export class AccountsCheck {
  readonly #versions = new Violations("I2 each account's versions are 1 … n, without gaps");
  readonly #balances = new Violations('I2 each balance is the sum of what was posted');
  readonly #available = new Violations('I2 available is never below zero');
  #last: LedgerRow | null = null;

  add(row: LedgerRow): void {
    const before = this.#last?.accountId === row.accountId ? this.#last : null;
    this.#last = row;
    for (const check of [this.#versions, this.#balances, this.#available]) check.looked++;
    const place = `account ${row.accountId} version ${row.version}`;
    const expectedVersion = (before?.version ?? 0) + 1;
    if (row.version !== expectedVersion) this.#versions.add(`${place} stands where version ${expectedVersion} should`);
    const expected = (before?.balanceAfter ?? 0) + row.balanceDelta;
    if (row.balanceAfter !== expected) {
      this.#balances.add(`${place} says balance ${row.balanceAfter}, its postings sum to ${expected}`);
    } else if (!deltaFits(row)) {
      this.#balances.add(`${place} is ${row.kind} ${row.amount}, but moves the balance by ${row.balanceDelta}`);
    }
    const available = row.balanceAfter - row.heldAfter;
    if (available < 0 || row.heldAfter < 0) {
      this.#available.add(`${place} leaves ${available} available (held ${row.heldAfter})`);
    }
  }

  results(): CheckResult[] {
    return [this.#versions.result(), this.#balances.result(), this.#available.result()];
  }
}

/** The other kinds move a balance by what their hold or their origin says: not judged here. */
function deltaFits(row: LedgerRow): boolean {
  if (row.kind === 'earn') return row.balanceDelta === row.amount;
  if (row.kind === 'burn') return row.balanceDelta === -row.amount;
  return true;
}

/** I3. Rows in any order; then the refusals; then the results. */
export class ClaimsCheck {
  readonly #claims: Claims;
  readonly #posted = new Violations('I3 what was answered 201 is in the ledger once, as it was answered');
  readonly #replayed = new Violations('I3 a second answer to a key equals the first');
  readonly #refused = new Violations('I3 what was refused is not in the ledger, and stays refused');
  readonly #unasked = new Violations('I3 the ledger has nothing of these runs that nobody sent');
  readonly #unanswered = new Violations('I3 what was not answered is in the ledger once or not at all');
  readonly #refusalsFound = new Set<Claim>();

  constructor(claims: Claims) {
    this.#claims = claims;
  }

  add(row: LedgerRow): void {
    const claim = this.#claims.byKey.get(claimKey(row.accountId, row.idempotencyKey));
    if (claim === undefined) {
      if (!this.#claims.runs.has(runOf(row.idempotencyKey))) return;
      this.#unasked.add(`${row.kind} ${row.idempotencyKey} of account ${row.accountId}`);
      return;
    }
    this.#unasked.looked++;
    claim.found++;
    if (claim.found > 1) {
      const check = claim.verdict === 'unknown' ? this.#unanswered : this.#posted;
      check.add(`${describe(claim)} is in the ledger ${claim.found} times`);
    }
    if (claim.kind !== row.kind || claim.amount !== row.amount) {
      this.#posted.add(`${describe(claim)} ${claim.amount} stands in the ledger as ${row.kind} ${row.amount}`);
    } else if (claim.transaction !== null) {
      const difference = differenceOf(claim.transaction, transactionOf(row));
      if (difference !== null) this.#posted.add(`${describe(claim)}: answer and ledger differ in ${difference}`);
    }
  }

  addRefusal(accountId: string, idempotencyKey: string): void {
    const claim = this.#claims.byKey.get(claimKey(accountId, idempotencyKey));
    if (claim !== undefined) this.#refusalsFound.add(claim);
  }

  results(): CheckResult[] {
    for (const claim of this.#claims.byKey.values()) this.#judge(claim);
    this.#replayed.looked = this.#claims.replays;
    for (const contradiction of this.#claims.contradictions) this.#replayed.add(contradiction);
    const landed = [...this.#claims.byKey.values()].filter((claim) => claim.verdict === 'unknown' && claim.found > 0);
    const note = this.#unanswered.looked > 0 ? `${landed.length} of them are in the ledger` : undefined;
    return [
      this.#posted.result(),
      this.#replayed.result(),
      this.#refused.result(),
      this.#unanswered.result(note),
      this.#unasked.result(),
    ];
  }

  #judge(claim: Claim): void {
    switch (claim.verdict) {
      case 'posted':
        this.#posted.looked++;
        if (claim.found === 0) this.#posted.add(`${describe(claim)} was answered 201 and is not in the ledger`);
        break;
      case 'refused':
        this.#refused.looked++;
        if (claim.found > 0) this.#refused.add(`${describe(claim)} was refused and is in the ledger`);
        else if (!this.#refusalsFound.has(claim)) this.#refused.add(`${describe(claim)} was refused, but not for good`);
        break;
      case 'rejected':
        this.#refused.looked++;
        if (claim.found > 0) this.#refused.add(`${describe(claim)} was rejected and is in the ledger`);
        break;
      case 'unknown':
        this.#unanswered.looked++;
        break;
    }
  }
}

function describe(claim: Claim): string {
  return `${claim.kind} ${claim.key} of wallet ${claim.walletId}`;
}

/** A ledger row as the API answers it, as far as a record keeps it. */
function transactionOf(row: LedgerRow): NonNullable<Claim['transaction']> {
  return {
    id: row.transactionId,
    wallet_id: row.accountId,
    kind: row.kind,
    amount: row.amount,
    balance_after: row.balanceAfter,
    held_after: row.heldAfter,
    version: row.version,
    created_at: row.occurredAt,
  };
}
