/**
 * What an account should be, kept beside the ledger in the plainest way: the reference that every committed row, every
 * refusal and every read is held against. Its rules are its own (rules.ts); which lot gives what, it takes from the rows.
 */
import { type AccountId, programAccount } from '@local-plus/contracts';
import type { AccountState, Command, Posting } from '../account/model.ts';
import type { RefusedRow, StoredOutcome, StoredTransaction } from '../ports.ts';
import { programId } from './operations.ts';
import { type Account, type Expected, expected, type HeldPoints, whyNot } from './rules.ts';

const DAY_MS = 86_400_000;

/** Of each version, what a reader may see of it. */
interface Snapshot {
  readonly balance: number;
  readonly held: number;
  readonly frozen: boolean;
  readonly owed: number;
  readonly lots: number;
  readonly holds: number;
}

const contraAccounts = {
  issued: programAccount(programId, 'issued'),
  redeemed: programAccount(programId, 'redeemed'),
  expired: programAccount(programId, 'expired'),
  adjusted: programAccount(programId, 'adjusted'),
  transit: programAccount(programId, 'transit'),
} as const;

const opened: Snapshot = { balance: 0, held: 0, frozen: false, owed: 0, lots: 0, holds: 0 };

export class Book implements Account {
  readonly accountId: AccountId;
  balance = 0;
  held = 0;
  frozen = false;
  owed = 0;
  lastAtMs = 0;
  readonly holds = new Map<number, HeldPoints>();
  readonly #lots = new Map<number, number>();
  readonly #reversed = new Map<number, number>();
  /** Place n − 1 is version n. */
  readonly rows: StoredTransaction[] = [];
  /** By idempotency key. */
  readonly outcomes = new Map<string, StoredOutcome>();
  /** Place n is version n. */
  readonly #snapshots: Snapshot[] = [opened];
  /** The newest version that anybody was shown by the writer's owner: nobody may be shown an older one by it. */
  shownVersion = 0;

  constructor(accountId: AccountId) {
    this.accountId = accountId;
  }

  get version(): number {
    return this.rows.length;
  }

  /** Holds the row against what the command means here and now; null when it is as it should be. */
  post(row: StoredTransaction, command: Command): string | null {
    const { posting } = row;
    if (posting.version !== this.version + 1) return `version ${posting.version} after ${this.version}`;
    if (posting.occurredAtMs < this.lastAtMs) return 'time ran backwards';
    const reason = whyNot(this, command, posting.occurredAtMs);
    if (reason !== null) return `posted although ${reason}`;
    const wrong = this.#compare(expected(this, command, posting.occurredAtMs), row);
    return wrong ?? this.#take(row, command);
  }

  /** Null when the account, as it is now, has that reason to refuse. */
  refuse(row: RefusedRow, command: Command): string | null {
    if (row.balance !== this.balance || row.held !== this.held) return `refused at ${row.balance}/${row.held}`;
    const reason = whyNot(this, command, Math.max(row.occurredAtMs, this.lastAtMs));
    return reason === row.code ? null : `refused as ${row.code}, the book says ${reason ?? 'nothing against it'}`;
  }

  /** Null when the state is what the account was at that version. */
  compare(state: AccountState): string | null {
    const snapshot = this.#snapshots[state.version];
    if (snapshot === undefined) return `version ${state.version} is not committed`;
    const lots = state.lots.reduce((sum, lot) => sum + lot[1], 0);
    const same =
      state.balance === snapshot.balance &&
      state.held === snapshot.held &&
      state.frozen === snapshot.frozen &&
      state.owed === snapshot.owed &&
      state.holds.length === snapshot.holds &&
      lots === snapshot.lots;
    return same ? null : `version ${state.version} was ${JSON.stringify(snapshot)}, shown ${JSON.stringify(state)}`;
  }

  dueAtMs(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const day of this.#lots.keys()) earliest = Math.min(earliest, (day + 1) * DAY_MS);
    for (const hold of this.holds.values()) earliest = Math.min(earliest, hold.expiresAtMs);
    return earliest;
  }

  reversed(version: number): number {
    return this.#reversed.get(version) ?? 0;
  }

  dueLots(atMs: number): number {
    let due = 0;
    for (const [day, amount] of this.#lots) if ((day + 1) * DAY_MS <= atMs) due += amount;
    return due;
  }

  dueHold(atMs: number): HeldPoints | null {
    let earliest: HeldPoints | null = null;
    for (const hold of this.holds.values()) {
      if (hold.expiresAtMs > atMs) continue;
      if (earliest === null || hold.expiresAtMs < earliest.expiresAtMs) earliest = hold;
    }
    return earliest;
  }

  /** I1, I2. */
  #compare(should: Expected, { posting, facts }: StoredTransaction): string | null {
    const wrong =
      differs('kind', posting.kind, should.kind) ??
      differs('amount', posting.amount, should.amount) ??
      differs('delta', posting.balanceDelta, should.delta) ??
      differs('program', facts.programId, programId) ??
      differs('contra account', posting.contraAccountId, contraAccounts[should.contra]) ??
      differs('balance after', posting.balanceAfter, this.balance + should.delta) ??
      differs('held after', posting.heldAfter, this.held + should.heldDelta) ??
      differs('debt', owedChange(posting), should.owed);
    if (wrong !== null) return wrong;
    const available = posting.balanceAfter - posting.heldAfter;
    const fell = available < 0 && available < this.balance - this.held;
    return fell && posting.kind !== 'reverse' ? `available fell to ${available}` : null;
  }

  #take(row: StoredTransaction, command: Command): string | null {
    const { posting } = row;
    const { detail } = posting;
    this.owed += owedChange(posting);
    this.balance = posting.balanceAfter;
    this.#hold(posting);
    this.held = posting.heldAfter;
    this.frozen = posting.kind === 'freeze' || (this.frozen && posting.kind !== 'unfreeze');
    this.lastAtMs = posting.occurredAtMs;
    if (command.kind === 'reverse') {
      const { version } = command.original;
      this.#reversed.set(version, (this.#reversed.get(version) ?? 0) + posting.amount);
    }
    for (const [day, change] of detail?.lots ?? []) {
      const amount = (this.#lots.get(day) ?? 0) + change;
      if (amount < 0) return `the lot of day ${day} fell to ${amount}`;
      if (amount === 0) this.#lots.delete(day);
      else this.#lots.set(day, amount);
    }
    this.rows.push(row);
    const { balance, held, frozen, owed } = this;
    let lots = 0;
    for (const amount of this.#lots.values()) lots += amount;
    this.#snapshots.push({ balance, held, frozen, owed, lots, holds: this.holds.size });
    if (lots > Math.max(balance - held, 0)) return `lots of ${lots} in ${balance - held} available points`;
    return null;
  }

  #hold({ kind, version, amount, heldAfter, detail }: Posting): void {
    if (kind === 'hold') {
      this.holds.set(version, { amount, expiresAtMs: detail?.hold_expires_ms ?? 0 });
      return;
    }
    const hold = this.holds.get(detail?.hold ?? 0);
    if (hold === undefined) return;
    hold.amount += heldAfter - this.held;
    if (hold.amount === 0) this.holds.delete(detail?.hold ?? 0);
  }
}

function differs(what: string, is: unknown, must: unknown): string | null {
  return is === must ? null : `${what} is ${is}, must be ${must}`;
}

function owedChange({ kind, detail }: Posting): number {
  const owed = detail?.owed ?? 0;
  return kind === 'earn' ? 0 - owed : owed;
}
