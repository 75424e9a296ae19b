/**
 * A ledger in memory, for unit tests and the simulator: the same statements, the same atomicity, no durability.
 *
 * `MemoryLedger` is the database; each `connect()` is one writer's connection, so that a superseded one can be tried.
 */
import { type AccountId, limits, transactionId } from '@local-plus/contracts';
import {
  type AccountHead,
  type Batch,
  type Findings,
  type LedgerStore,
  type LookUps,
  type StoredOutcome,
  type StoredTransaction,
  StoreFailure,
  type WriterPosition,
} from '../ports.ts';

export class MemoryLedger {
  readonly #writers = new Map<number, WriterPosition>();
  readonly #byAccount = new Map<AccountId, StoredTransaction[]>();
  readonly #byKey = new Map<string, StoredOutcome>();

  connect(): LedgerStore {
    return {
      claim: async (writerId) => this.#claim(writerId),
      raise: async (writerId, heldEpoch) =>
        this.#position(writerId).epoch === heldEpoch ? this.#claim(writerId) : null,
      commit: async (batch) => this.#commit(batch),
      lookUp: async (lookUps) => this.#lookUp(lookUps),
      position: async (writerId) => this.#position(writerId),
      reset: async () => undefined,
    };
  }

  /** Every transaction of an account, oldest first. */
  transactions(accountId: AccountId): readonly StoredTransaction[] {
    return this.#byAccount.get(accountId) ?? [];
  }

  get accounts(): Iterable<AccountId> {
    return this.#byAccount.keys();
  }

  #position(writerId: number): WriterPosition {
    return this.#writers.get(writerId) ?? { epoch: 0, batch: 0 };
  }

  #claim(writerId: number): WriterPosition {
    const { epoch, batch } = this.#position(writerId);
    const position = { epoch: epoch + 1, batch };
    this.#writers.set(writerId, position);
    return position;
  }

  #commit(batch: Batch): boolean {
    const position = this.#position(batch.writerId);
    if (position.epoch !== batch.epoch || position.batch !== batch.batch - 1) return false;
    this.#check(batch);
    this.#writers.set(batch.writerId, { epoch: batch.epoch, batch: batch.batch });
    for (const [place, row] of batch.posted.entries()) {
      const { accountId, idempotencyKey } = row.facts;
      const position = { writerId: batch.writerId, batch: batch.batch, place };
      const id = transactionId(row.posting.occurredAtMs, position);
      const stored: StoredTransaction = { ...row, type: 'posted', transactionId: id };
      const rows = this.#byAccount.get(accountId) ?? [];
      rows.push(stored);
      this.#byAccount.set(accountId, rows);
      this.#byKey.set(`${accountId} ${idempotencyKey}`, stored);
    }
    for (const row of batch.refused) {
      this.#byKey.set(`${row.facts.accountId} ${row.facts.idempotencyKey}`, { ...row, type: 'refused' });
    }
    return true;
  }

  /** What the tables' constraints would refuse; before anything is written. */
  #check(batch: Batch): void {
    const newVersions = new Map<AccountId, Set<number>>();
    const newKeys = new Set<string>();
    for (const { facts, posting } of batch.posted) {
      const versions = newVersions.get(facts.accountId) ?? new Set();
      const taken = (this.#byAccount.get(facts.accountId)?.length ?? 0) >= posting.version;
      if (taken || versions.has(posting.version)) throw new StoreFailure('refused', 'the version is taken');
      newVersions.set(facts.accountId, versions.add(posting.version));
      if (Math.abs(posting.balanceAfter) > limits.balanceMax) throw new StoreFailure('refused', 'out of range');
      if (posting.amount < limits.amountMin || posting.amount > limits.amountMax) {
        throw new StoreFailure('refused', 'the amount is out of range');
      }
    }
    for (const { facts } of [...batch.posted, ...batch.refused]) {
      const key = `${facts.accountId} ${facts.idempotencyKey}`;
      if (facts.reference?.includes('\0')) throw new StoreFailure('refused', 'NUL in a text');
      if (this.#byKey.has(key) || newKeys.has(key)) throw new StoreFailure('refused', 'the key is taken');
      newKeys.add(key);
    }
  }

  #lookUp(lookUps: LookUps): Findings {
    return {
      keys: lookUps.keys.map((key) => this.#byKey.get(`${key.accountId} ${key.idempotencyKey}`) ?? null),
      accounts: lookUps.accounts.map((accountId) => this.#head(accountId)),
    };
  }

  #head(accountId: AccountId): AccountHead | null {
    const posting = this.#byAccount.get(accountId)?.at(-1)?.posting;
    if (!posting) return null;
    const { version, balanceAfter, heldAfter, occurredAtMs } = posting;
    return { version, balance: balanceAfter, held: heldAfter, lastAtMs: occurredAtMs };
  }
}
