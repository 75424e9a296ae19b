/**
 * A ledger in memory, for unit tests and the simulator: the same statements, the same atomicity, no durability.
 *
 * `MemoryLedger` is the database; each `connect()` is one writer's connection, so that a superseded one can be tried.
 */
import { type AccountId, limits, type ProgramId, transactionId } from '@local-plus/contracts';
import type { AccountHead, AccountRecord, Posting } from '../account/model.ts';
import {
  type Batch,
  type DueAccount,
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
  /** By account and version. */
  readonly #checkpoints = new Map<string, string>();
  readonly #dues = new Map<AccountId, { readonly atMs: number | null; readonly programId: ProgramId }>();

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

  /** The accounts of which something is due, the longest due first. */
  due(nowMs: number, accountsMax: number): readonly DueAccount[] {
    const due: DueAccount[] = [];
    for (const [accountId, { atMs, programId }] of this.#dues) {
      if (atMs !== null && atMs <= nowMs) due.push({ accountId, programId, dueAtMs: atMs });
    }
    return due.sort((left, right) => left.dueAtMs - right.dueAtMs).slice(0, accountsMax);
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
      const { accountId, programId, idempotencyKey } = row.facts;
      const { version, occurredAtMs, checkpoint, due } = row.posting;
      const id = transactionId(occurredAtMs, { writerId: batch.writerId, batch: batch.batch, place });
      const posting: Posting = { ...row.posting, checkpoint: null, due: null };
      const stored: StoredTransaction = { ...row, posting, type: 'posted', transactionId: id };
      const rows = this.#byAccount.get(accountId) ?? [];
      rows.push(stored);
      this.#byAccount.set(accountId, rows);
      this.#byKey.set(`${accountId} ${idempotencyKey}`, stored);
      if (checkpoint !== null) this.#checkpoints.set(`${accountId} ${version}`, checkpoint);
      if (due !== null) this.#dues.set(accountId, { atMs: due.atMs, programId });
    }
    for (const row of batch.refused) {
      this.#byKey.set(`${row.facts.accountId} ${row.facts.idempotencyKey}`, { ...row, type: 'refused' });
    }
    return true;
  }

  /** What the tables' constraints would refuse, and a gap in the versions; before anything is written. */
  #check(batch: Batch): void {
    const newest = new Map<AccountId, number>();
    const newKeys = new Set<string>();
    for (const { facts, posting } of batch.posted) {
      const before = newest.get(facts.accountId) ?? this.#byAccount.get(facts.accountId)?.length ?? 0;
      if (posting.version !== before + 1) throw new StoreFailure('refused', 'the version is taken, or leaves one out');
      newest.set(facts.accountId, posting.version);
      if (Math.abs(posting.balanceAfter) > limits.balanceMax) throw new StoreFailure('refused', 'out of range');
      if (posting.heldAfter < 0) throw new StoreFailure('refused', 'what is held is out of range');
      if (posting.amount < 0 || posting.amount > limits.amountMax) {
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
      accounts: lookUps.accounts.map((accountId) => this.#record(accountId)),
    };
  }

  #record(accountId: AccountId): AccountRecord | null {
    const rows = this.#byAccount.get(accountId) ?? [];
    const newest = rows.at(-1);
    if (!newest) return null;
    const { baseVersion } = newest.posting;
    const { hash } = newest;
    if (baseVersion === null) return { base: headOf(newest.posting), tail: [], hash };
    const base = rows[baseVersion - 1];
    return {
      base: this.#checkpoints.get(`${accountId} ${baseVersion}`) ?? (base ? headOf(base.posting) : null),
      tail: rows.slice(baseVersion).map((row) => row.posting),
      hash,
    };
  }
}

function headOf({ version, balanceAfter, heldAfter, occurredAtMs }: Posting): AccountHead {
  return { version, balance: balanceAfter, held: heldAfter, lastAtMs: occurredAtMs };
}
