/**
 * A ledger in memory, for unit tests and the simulator: the same statements, the same atomicity, no durability.
 *
 * `MemoryLedger` is the database, and executes each statement at once: it returns the reply or throws a `StoreFailure`.
 * Each `connect()` is one writer's connection, so that a superseded one can be tried.
 */
import { type AccountId, type IdempotencyKey, limits, type ProgramId, transactionId } from '@local-plus/contracts';
import type { AccountHead, AccountRecord, Posting } from '../account/model.ts';
import {
  type Batch,
  type DueAccount,
  type Findings,
  type Key,
  type LedgerStore,
  type LookUps,
  type PostedRow,
  type RequestFacts,
  type StoredOutcome,
  type StoredTransaction,
  StoreFailure,
  type WriterPosition,
} from '../ports.ts';
import { isDeparture } from '../transfers/steps.ts';
import type { OpenTransfer } from '../transfers/sweep.ts';

/** What the tables hold of one account. */
class AccountTables {
  /** Oldest first: place n − 1 is version n. */
  readonly rows: StoredTransaction[] = [];
  readonly outcomes = new Map<IdempotencyKey, StoredOutcome>();
  /** By version. */
  readonly checkpoints = new Map<number, string>();
  due: { readonly atMs: number | null; readonly programId: ProgramId } | null = null;
}

const nothing = new AccountTables();

export class MemoryLedger {
  readonly #writers = new Map<number, WriterPosition>();
  readonly #accounts = new Map<AccountId, AccountTables>();
  /** Departures that are not closed, in the order in which they were written. */
  readonly #open = new Map<string, StoredTransaction>();

  connect(): LedgerStore {
    return {
      claim: async (writerId) => this.claim(writerId),
      raise: async (writerId, heldEpoch) => this.raise(writerId, heldEpoch),
      commit: async (batch) => this.commit(batch),
      lookUp: async (lookUps) => this.lookUp(lookUps),
      position: async (writerId) => this.position(writerId),
      reset: async () => undefined,
    };
  }

  /** Every transaction of an account, oldest first. */
  transactions(accountId: AccountId): readonly StoredTransaction[] {
    return (this.#accounts.get(accountId) ?? nothing).rows;
  }

  /** The accounts of which something is due, the longest due first. */
  due(nowMs: number, accountsMax: number): readonly DueAccount[] {
    const due: DueAccount[] = [];
    for (const [accountId, account] of this.#accounts) {
      const { atMs = null, programId } = account.due ?? {};
      if (programId !== undefined && atMs !== null && atMs <= nowMs) due.push({ accountId, programId, dueAtMs: atMs });
    }
    return due.sort((left, right) => left.dueAtMs - right.dueAtMs).slice(0, accountsMax);
  }

  /** Transfers across lanes whose end nobody has seen, the oldest first. It has no clock: all are of any age. */
  openTransfers(transfersMax: number): readonly OpenTransfer[] {
    const rows = [...this.#open.values()].slice(0, transfersMax);
    return rows.map((row) => ({ row, transactionId: row.transactionId, openMs: 0 }));
  }

  closeTransfer({ facts, posting }: PostedRow): void {
    this.#open.delete(`${facts.accountId} ${posting.version}`);
  }

  /** Those that have transactions. */
  get accounts(): Iterable<AccountId> {
    return [...this.#accounts].filter(([, { rows }]) => rows.length > 0).map(([accountId]) => accountId);
  }

  position(writerId: number): WriterPosition {
    return this.#writers.get(writerId) ?? { epoch: 0, batch: 0 };
  }

  claim(writerId: number): WriterPosition {
    return this.#raised(writerId);
  }

  raise(writerId: number, heldEpoch: number): WriterPosition | null {
    return this.position(writerId).epoch === heldEpoch ? this.#raised(writerId) : null;
  }

  #raised(writerId: number): WriterPosition {
    const { epoch, batch } = this.position(writerId);
    const position = { epoch: epoch + 1, batch };
    this.#writers.set(writerId, position);
    return position;
  }

  commit(batch: Batch): boolean {
    const position = this.position(batch.writerId);
    if (position.epoch !== batch.epoch || position.batch !== batch.batch - 1) return false;
    this.#check(batch);
    this.#writers.set(batch.writerId, { epoch: batch.epoch, batch: batch.batch });
    for (const [place, row] of batch.posted.entries()) {
      const { accountId, programId, idempotencyKey } = row.facts;
      const { version, occurredAtMs, checkpoint, due } = row.posting;
      const id = transactionId(occurredAtMs, { writerId: batch.writerId, batch: batch.batch, place });
      const posting: Posting = { ...row.posting, checkpoint: null, due: null };
      const stored: StoredTransaction = { ...row, posting, type: 'posted', transactionId: id };
      const account = this.#account(accountId);
      account.rows.push(stored);
      account.outcomes.set(idempotencyKey, stored);
      if (checkpoint !== null) account.checkpoints.set(version, checkpoint);
      if (due !== null) account.due = { atMs: due.atMs, programId };
      if (isDeparture(row)) this.#open.set(`${accountId} ${version}`, stored);
    }
    for (const row of batch.refused) {
      this.#account(row.facts.accountId).outcomes.set(row.facts.idempotencyKey, { ...row, type: 'refused' });
    }
    return true;
  }

  #account(accountId: AccountId): AccountTables {
    let account = this.#accounts.get(accountId);
    if (account === undefined) {
      account = new AccountTables();
      this.#accounts.set(accountId, account);
    }
    return account;
  }

  /** What the tables' constraints would refuse, and a gap in the versions; before anything is written. */
  #check(batch: Batch): void {
    const newest = new Map<AccountId, number>();
    const newKeys = new Map<AccountId, Set<IdempotencyKey>>();
    for (const { facts, posting } of batch.posted) {
      const before = newest.get(facts.accountId) ?? this.transactions(facts.accountId).length;
      if (posting.version !== before + 1) throw new StoreFailure('refused', 'the version is taken, or leaves one out');
      newest.set(facts.accountId, posting.version);
      if (Math.abs(posting.balanceAfter) > limits.balanceMax) throw new StoreFailure('refused', 'out of range');
      if (posting.heldAfter < 0) throw new StoreFailure('refused', 'what is held is out of range');
      if (posting.amount < 0 || posting.amount > limits.amountMax) {
        throw new StoreFailure('refused', 'the amount is out of range');
      }
    }
    for (const { facts } of batch.posted) this.#checkFacts(facts, 'posted', newKeys);
    for (const { facts } of batch.refused) this.#checkFacts(facts, 'refused', newKeys);
    if (!batch.isOptimistic) return;
    for (const { facts } of [...batch.posted, ...batch.refused]) {
      if (this.#outcome(facts) !== null) throw new StoreFailure('refused', 'a key was used');
    }
  }

  /** A key is unique among the transactions, and among the refusals: each has a table of its own. */
  #checkFacts(facts: RequestFacts, type: StoredOutcome['type'], newKeys: Map<AccountId, Set<IdempotencyKey>>): void {
    const { accountId, idempotencyKey, reference } = facts;
    if (reference?.includes('\0')) throw new StoreFailure('refused', 'NUL in a text');
    const own = newKeys.get(accountId) ?? new Set();
    if (own.has(idempotencyKey) || this.#outcome(facts)?.type === type) {
      throw new StoreFailure('refused', 'the key is taken');
    }
    newKeys.set(accountId, own.add(idempotencyKey));
  }

  lookUp(lookUps: LookUps): Findings {
    return {
      keys: lookUps.keys.map((key) => this.#outcome(key)),
      accounts: lookUps.accounts.map((accountId) => this.#record(accountId)),
    };
  }

  #outcome({ accountId, idempotencyKey }: Key): StoredOutcome | null {
    return this.#accounts.get(accountId)?.outcomes.get(idempotencyKey) ?? null;
  }

  #record(accountId: AccountId): AccountRecord | null {
    const { rows, checkpoints } = this.#accounts.get(accountId) ?? nothing;
    const newest = rows.at(-1);
    if (!newest) return null;
    const { baseVersion } = newest.posting;
    const { hash } = newest;
    if (baseVersion === null) return { base: headOf(newest.posting), tail: [], hash };
    const base = rows[baseVersion - 1];
    return {
      base: checkpoints.get(baseVersion) ?? (base ? headOf(base.posting) : null),
      tail: rows.slice(baseVersion).map((row) => row.posting),
      hash,
    };
  }
}

function headOf({ version, balanceAfter, heldAfter, occurredAtMs }: Posting): AccountHead {
  return { version, balance: balanceAfter, held: heldAfter, lastAtMs: occurredAtMs };
}
