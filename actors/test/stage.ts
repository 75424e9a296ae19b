/**
 * A stage for runtime tests: a ledger in memory behind a wire that can be held, cut before or after the ledger saw the
 * statement, and told to refuse; clocks and timers that only move when the test says so.
 */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { type AccountId, type IdempotencyKey, type ProgramId, uuidV7 } from '@local-plus/contracts';
import { facts, newAccountId } from '../conformance/rows.ts';
import {
  type AccountRequest,
  type Batch,
  type Command,
  type CommittedBatch,
  chainText,
  type LedgerStore,
  MemoryLedger,
  type Part,
  Runtime,
  type RuntimeLimits,
  runtimeLimits,
  StoreFailure,
} from '../index.ts';

/** `ghost`: the reply is lost, and the ledger sees the statement only at {@link Stage.haunt}. */
type Fault = 'lost before' | 'lost after' | 'ghost' | 'none';

export class Stage {
  readonly ledger = new MemoryLedger();
  readonly programId = uuidV7<ProgramId>(1_700_000_000_000);
  readonly announced: CommittedBatch[] = [];
  readonly logged: string[] = [];
  supersededCalls = 0;
  nowMs = 1_700_000_000_000;
  monotonicMs = 0;
  /** The next statements' fates, in order; none: the statement passes. */
  faults: Fault[] = [];
  #ghosts: (() => Promise<unknown>)[] = [];
  /** Statements wait here while set. */
  #gate: Promise<void> | null = null;
  #lookUpsPass = false;
  #open: (() => void) | null = null;
  /** Refuses a batch that contains such a key. */
  poison: IdempotencyKey | null = null;
  onRefusal: () => void = () => undefined;
  commits = 0;
  /** Keys of look-ups so far. */
  keysAsked = 0;
  /** Accounts of look-ups so far. */
  accountsAsked = 0;
  commandsPerBatch: number[] = [];
  #timers: { atMs: number; run: () => void }[] = [];

  runtime(limits: Partial<RuntimeLimits> = {}): Runtime {
    return new Runtime({
      store: this.#wire(this.ledger.connect()),
      clock: { nowMs: () => this.nowMs, monotonicMs: () => this.monotonicMs },
      timer: {
        after: (delayMs, run) => {
          const timer = { atMs: this.monotonicMs + delayMs, run };
          this.#timers.push(timer);
          return () => {
            this.#timers = this.#timers.filter((other) => other !== timer);
          };
        },
        soon: (run) => queueMicrotask(run),
      },
      log: {
        info: (event) => this.logged.push(event),
        warn: (event) => this.logged.push(event),
        error: (event) => this.logged.push(event),
      },
      digest: sha256,
      writerId: 1,
      // Where statements are counted, every key is looked up, unless the test is about those that are not.
      limits: { ...runtimeLimits, isOptimistic: false, ...limits },
      committed: (batch) => this.announced.push(batch),
      superseded: () => {
        this.supersededCalls++;
      },
    });
  }

  request(accountId: AccountId, kind: 'earn' | 'burn', amount: number, key: string): AccountRequest {
    const hash = `${kind}-${amount}-`.padEnd(32, 'x');
    return {
      facts: facts(accountId, key, { programId: this.programId, requestHash: hash }),
      command: this.#command(kind, amount),
      deadlineMs: this.monotonicMs + 10_000,
    };
  }

  /** Two parts of two accounts: what one loses the other gains. */
  transfer(from: AccountId, to: AccountId, amount: number, key: string): AccountRequest {
    const { programId } = this;
    const requestHash = `transfer-${amount}-`.padEnd(32, 'x');
    return {
      facts: facts(from, key, { programId, requestHash }),
      command: { kind: 'transfer_out', amount, programId, partner: to },
      deadlineMs: this.monotonicMs + 10_000,
      also: [
        {
          facts: facts(to, `transfer ${from} ${key}`, { programId, requestHash }),
          command: { kind: 'transfer_in', amount, programId, partner: from },
        },
      ],
    };
  }

  /** Several commands of one account, all or none. */
  group(accountId: AccountId, commands: readonly (readonly ['earn' | 'burn', number])[], key: string): AccountRequest {
    const parts = commands.map(([kind, amount], index) => ({
      facts: facts(accountId, index === 0 ? key : `group ${key} ${index}`, { programId: this.programId }),
      command: this.#command(kind, amount),
    }));
    const [first, ...also] = parts as [Part, ...Part[]];
    return { ...first, deadlineMs: this.monotonicMs + 10_000, also };
  }

  #command(kind: 'earn' | 'burn', amount: number): Command {
    const { programId } = this;
    return kind === 'earn' ? { kind, amount, programId, expiry: null } : { kind, amount, programId };
  }

  /** Every row's hash is the digest of its content and of its predecessor's hash. */
  assertChained(accountId: AccountId): void {
    let previous: string | null = null;
    for (const row of this.ledger.transactions(accountId)) {
      const link: string = sha256(chainText(previous, row));
      assert.equal(row.hash, link, `version ${row.posting.version}`);
      previous = link;
    }
  }

  /** Statements wait until {@link release}: all, or only the writes. */
  hold(what: 'all' | 'writes' = 'all'): void {
    this.#lookUpsPass = what === 'writes';
    this.#gate = new Promise((open) => {
      this.#open = open;
    });
  }

  release(): void {
    this.#open?.();
    this.#gate = null;
  }

  /** What was still on its way arrives at the ledger; resolves to what each did. */
  async haunt(): Promise<PromiseSettledResult<unknown>[]> {
    return Promise.allSettled(this.#ghosts.splice(0).map((statement) => statement()));
  }

  /** Lets everything run that can without time passing. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Moves the monotonic clock and runs the timers that are due. */
  async pass(ms: number): Promise<void> {
    this.monotonicMs += ms;
    const due = this.#timers.filter((timer) => timer.atMs <= this.monotonicMs);
    this.#timers = this.#timers.filter((timer) => timer.atMs > this.monotonicMs);
    for (const timer of due) timer.run();
    await this.settle();
  }

  #wire(store: LedgerStore): LedgerStore {
    const through = async <Answer>(statement: () => Promise<Answer>, isLookUp = false): Promise<Answer> => {
      if (!isLookUp || !this.#lookUpsPass) await this.#gate;
      const fault = this.faults.shift() ?? 'none';
      if (fault === 'ghost') {
        this.#ghosts.push(statement);
        throw new StoreFailure('unknown', 'the statement is still on its way');
      }
      if (fault === 'lost before') throw new StoreFailure('unknown', 'lost before the ledger saw it');
      const answer = await statement();
      if (fault === 'lost after') throw new StoreFailure('unknown', 'the reply was lost');
      return answer;
    };
    return {
      claim: (writerId) => through(() => store.claim(writerId)),
      raise: (writerId, heldEpoch) => through(() => store.raise(writerId, heldEpoch)),
      position: (writerId) => through(() => store.position(writerId)),
      lookUp: (lookUps) => {
        this.keysAsked += lookUps.keys.length;
        this.accountsAsked += lookUps.accounts.length;
        return through(() => store.lookUp(lookUps), true);
      },
      commit: (batch) => through(() => this.#commit(store, batch)),
      reset: (connection) => store.reset(connection),
    };
  }

  #commit(store: LedgerStore, batch: Batch): Promise<boolean> {
    this.commits++;
    this.commandsPerBatch.push(batch.posted.length + batch.refused.length);
    if (batch.posted.some((row) => row.facts.idempotencyKey === this.poison)) {
      this.onRefusal();
      throw new StoreFailure('refused', 'poison');
    }
    return store.commit(batch);
  }
}

function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}

export { newAccountId };
