/**
 * A stage for transfers: two real runtimes (writers 1 and 2) on one ledger in memory, accounts split between them, and
 * process managers that can be killed between any two steps. Time moves only when the test says so.
 *
 * After every commit I1 is looked at: what is in transit is exactly what left and neither arrived nor came back, and all
 * of that has an open row.
 */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { type AccountId, type IdempotencyKey, type ProgramId, programAccount, uuidV7 } from '@local-plus/contracts';
import { facts, newAccountId } from '../../conformance/rows.ts';
import {
  type AccountRequest,
  arrivalKey,
  type Command,
  isDeparture,
  type LedgerStore,
  MemoryLedger,
  type Outcome,
  type PostedRow,
  Runtime,
  restore,
  returnKey,
  type StoredTransaction,
  StoreFailure,
  type TransferRequest,
  TransferSweep,
  type TransferSweepLimits,
  Transfers,
  transferSweepLimits,
} from '../../index.ts';

export type Step = 'departure' | 'arrival' | 'return' | 'close';
/** `killed`: who asked for the step is dead: nothing of it happens, and nothing after it. */
export type Cut = 'lost before' | 'lost after' | 'killed before' | 'killed after';

const DAY_MS = 86_400_000;
const never = new Promise<never>(() => undefined);

/** One process manager, with its fate: the step at which it is cut, once. */
export interface Process {
  readonly transfers: Transfers;
  readonly sweep: TransferSweep;
}

export class TwoLanes {
  readonly ledger = new MemoryLedger();
  readonly programId = uuidV7<ProgramId>(1_700_000_000_000);
  readonly logged: string[] = [];
  nowMs = 20_000 * DAY_MS + DAY_MS / 2;
  monotonicMs = 0;
  /** Both accounts of one lane, as far as process managers know. */
  isOneLane = false;
  /** Owners that do not answer. */
  readonly away = new Set<1 | 2>();
  /** Accounts are between owners: nobody serves them. */
  #isMoving = false;
  /** What becomes of a commit: its reply, or the whole of it, may be lost. */
  onCommit: () => 'lost before' | 'lost after' | null = () => null;
  /** Called before a step is submitted or a row closed. */
  onStep: (step: Step) => void | Promise<void> = () => undefined;
  onFind: (() => Promise<never>) | null = null;
  readonly steps: Step[] = [];
  /** What was found wrong between the steps. */
  readonly #violations: string[] = [];
  readonly #owners = new Map<AccountId, 1 | 2>();
  readonly #runtimes = new Map<1 | 2, Runtime>();
  #timers: { atMs: number; run: () => void }[] = [];
  #given = 0;
  #expiring = 0;
  #keys = 0;
  readonly #clock = { nowMs: () => this.nowMs, monotonicMs: () => this.monotonicMs };
  readonly #timer = {
    after: (delayMs: number, run: () => void) => {
      const timer = { atMs: this.monotonicMs + delayMs, run };
      this.#timers.push(timer);
      return () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      };
    },
    soon: (run: () => void) => void setImmediate(run),
  };
  readonly #log = {
    info: (event: string) => void this.logged.push(event),
    warn: (event: string) => void this.logged.push(event),
    error: (event: string) => void this.logged.push(event),
  };

  /** The process that has the lane dies; another one takes it over. */
  async restart(writerId: 1 | 2): Promise<void> {
    const runtime = new Runtime({
      store: this.#watched(this.ledger.connect()),
      clock: this.#clock,
      timer: this.#timer,
      log: this.#log,
      digest: (text) => hash('sha256', text, 'hex'),
      writerId,
    });
    const before = this.#runtimes.get(writerId);
    this.#runtimes.set(writerId, runtime);
    await before?.stop(0);
    await runtime.start();
  }

  async start(): Promise<this> {
    await this.restart(1);
    await this.restart(2);
    return this;
  }

  process(fate: { readonly at: Step; readonly cut: Cut } | null = null, limits: Partial<TransferSweepLimits> = {}) {
    let isDead = false;
    let ahead = fate;
    const through = async <Answer>(step: Step, run: () => Promise<Answer>, lost: () => Answer): Promise<Answer> => {
      if (isDead) return never;
      const cut = ahead?.at === step ? ahead.cut : null;
      if (cut !== null) ahead = null;
      if (cut === 'killed before') isDead = true;
      if (isDead) return never;
      if (cut === 'lost before') return lost();
      this.steps.push(step);
      await this.onStep(step);
      const answer = await run();
      if (cut === 'killed after') isDead = true;
      if (isDead) return never;
      return cut === 'lost after' ? lost() : answer;
    };
    const close = (departure: PostedRow) =>
      through(
        'close',
        async () => {
          if (this.#endOf(departure) === null) this.#violations.push('T5: what is closed has ended');
          this.ledger.closeTransfer(departure);
        },
        () => {
          throw new Error('the row is not known to be closed');
        },
      );
    const ports = { close, clock: this.#clock, timer: this.#timer, log: this.#log };
    const transfers = new Transfers({
      ...ports,
      submit: (request) =>
        through(
          stepOf(request),
          () => this.submit(request),
          () => ({ type: 'unavailable' }) as Outcome,
        ),
      sameOwner: () => this.isOneLane,
    });
    const sweep = new TransferSweep({
      ...ports,
      find: async (_ageMs, transfersMax) => (this.onFind ? this.onFind() : this.ledger.openTransfers(transfersMax)),
      transfers,
      limits: { ...transferSweepLimits, ...limits },
    });
    return { transfers, sweep };
  }

  /** To the lane of its first account. */
  submit(request: AccountRequest): Promise<Outcome> {
    const owner = this.isOneLane ? 1 : this.#ownerOf(request.facts.accountId);
    if (this.#isMoving || this.away.has(owner)) return Promise.resolve({ type: 'unavailable' });
    return (this.#runtimes.get(owner) as Runtime).submit(request);
  }

  /** Both lanes forget what they know of accounts: from now on the first one has them all, or each has its own again. */
  async reshard(isOneLane: boolean): Promise<void> {
    this.#isMoving = true;
    await this.restart(1);
    await this.restart(2);
    this.isOneLane = isOneLane;
    this.#isMoving = false;
  }

  /** @param points of which the first half expires */
  async account(owner: 1 | 2, points = 0): Promise<AccountId> {
    const accountId = newAccountId();
    this.#owners.set(accountId, owner);
    const { programId } = this;
    const days = { period: 'days', count: 10, endOfMonth: false } as const;
    const half = Math.floor(points / 2);
    if (half > 0) await this.post(accountId, { kind: 'earn', amount: half, programId, expiry: days });
    if (points > 0) await this.post(accountId, { kind: 'earn', amount: points - half, programId, expiry: null });
    this.#given += points;
    this.#expiring += half;
    return accountId;
  }

  async post(accountId: AccountId, command: Command): Promise<void> {
    const about = facts(accountId, `post-${++this.#keys}`, { programId: this.programId });
    const outcome = await this.submit({ facts: about, command, deadlineMs: Number.POSITIVE_INFINITY });
    assert.equal(outcome.type, 'posted');
  }

  /** All of a request but its command. */
  asked(accountId: AccountId): Omit<AccountRequest, 'command'> {
    const about = facts(accountId, `post-${++this.#keys}`, { programId: this.programId });
    return { facts: about, deadlineMs: this.monotonicMs + 1_000 };
  }

  freeze(accountId: AccountId): Promise<void> {
    return this.post(accountId, { kind: 'freeze', reason: 'lost', programId: this.programId });
  }

  request(
    from: AccountId,
    to: AccountId,
    amount: number | null,
    key = `key-${++this.#keys}`,
    forMs = 1_000,
  ): TransferRequest {
    const requestHash = hash('sha256', `${to} ${amount}`, 'hex').slice(0, 32);
    return {
      facts: facts(from, key, { programId: this.programId, requestHash, reference: 'gift' }),
      to,
      amount,
      deadlineMs: this.monotonicMs + forMs,
    };
  }

  /** Time passes until it is there. */
  async until<Answer>(answer: Promise<Answer>): Promise<Answer> {
    let isThere = false;
    void answer.finally(() => {
      isThere = true;
    });
    for (let turn = 0; turn < 5_000; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (isThere) return answer;
      if (turn % 20 === 19) this.pass(20);
    }
    return assert.fail('it never came');
  }

  /** Lets everything run that can, and time pass. */
  async idle(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      this.pass(100);
      for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#timer.after(ms, resolve));
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.monotonicMs += ms;
    const due = this.#timers.filter((timer) => timer.atMs <= this.monotonicMs);
    this.#timers = this.#timers.filter((timer) => timer.atMs > this.monotonicMs);
    for (const timer of due) timer.run();
  }

  balance(accountId: AccountId): number {
    return this.rows(accountId).at(-1)?.posting.balanceAfter ?? 0;
  }

  /** Day, counted from today, and points. */
  lots(accountId: AccountId): (readonly [number, number])[] {
    const rows = this.rows(accountId);
    const state = restore({ base: null, tail: rows.map(({ posting }) => posting), hash: null });
    return state.lots.map(([day, amount]) => [day - 20_000, amount] as const);
  }

  rows(accountId: AccountId): readonly StoredTransaction[] {
    return this.ledger.transactions(accountId);
  }

  /** Kinds of what happened after the account was filled. */
  kinds(accountId: AccountId): string[] {
    return this.rows(accountId)
      .filter(({ posting }) => posting.kind !== 'earn')
      .map(({ posting }) => `${posting.kind} ${posting.amount}`);
  }

  /** Nothing is on its way, and nothing was lost or made. */
  assertSettled(): void {
    assert.deepEqual(this.#violations, []);
    assert.deepEqual(this.ledger.openTransfers(10), [], 'nothing is open');
    assert.equal(this.transit(), 0, 'nothing is in transit');
    const total = [...this.ledger.accounts].reduce((sum, accountId) => sum + this.balance(accountId), 0);
    assert.equal(total, this.#given, 'all points are on accounts');
    const lots = [...this.ledger.accounts].flatMap((accountId) => this.lots(accountId));
    const expiring = lots.reduce((sum, [, amount]) => sum + amount, 0);
    assert.equal(expiring, this.#expiring, 'no point has become one that never expires');
  }

  transit(): number {
    return this.#transfers().reduce((sum, { posting }) => sum - posting.balanceDelta, 0);
  }

  #transfers(): StoredTransaction[] {
    const transit = programAccount(this.programId, 'transit');
    const rows = [...this.ledger.accounts].flatMap((accountId) => this.rows(accountId));
    return rows.filter(({ posting }) => posting.contraAccountId === transit);
  }

  /** The row that ended a departure. */
  #endOf({ facts: about, posting }: PostedRow): StoredTransaction | null {
    const arrival = arrivalKey(about.accountId, about.idempotencyKey);
    const partner = posting.detail?.partner as AccountId;
    const ends = [
      ...this.rows(partner).filter((row) => row.facts.idempotencyKey === arrival),
      ...this.rows(about.accountId).filter((row) => row.facts.idempotencyKey === returnKey(about.idempotencyKey)),
    ];
    if (ends.length > 1) this.#violations.push('a transfer ends once');
    return ends[0] ?? null;
  }

  /** I1, at this moment. */
  assertExplained(): void {
    this.#lookAtTransit();
    assert.deepEqual(this.#violations, []);
  }

  #lookAtTransit(): void {
    const away = this.#transfers().filter((row) => isDeparture(row) && this.#endOf(row) === null);
    const sum = away.reduce((total, { posting }) => total + posting.amount, 0);
    if (this.transit() !== sum) this.#violations.push('I1: open transfers explain what is in transit');
    const open = new Set<string>(this.ledger.openTransfers(100_000).map(({ transactionId }) => transactionId));
    if (!away.every(({ transactionId }) => open.has(transactionId))) {
      this.#violations.push('T3: what is on its way has an open row');
    }
  }

  /** Off for tests of thousands of transfers: it goes through all rows. */
  isWatched = true;

  #watched(store: LedgerStore): LedgerStore {
    return {
      ...store,
      commit: async (batch) => {
        const fault = this.onCommit();
        if (fault === 'lost before') throw new StoreFailure('unknown', fault);
        const isApplied = await store.commit(batch);
        if (this.isWatched) this.#lookAtTransit();
        if (fault === 'lost after') throw new StoreFailure('unknown', fault);
        return isApplied;
      },
    };
  }

  #ownerOf(accountId: AccountId): 1 | 2 {
    return this.#owners.get(accountId) ?? 1;
  }
}

function stepOf({ facts: about, command }: AccountRequest): Step {
  if (command.kind === 'transfer_in') return 'arrival';
  const isDeparture = ['transfer_out', 'clear', 'decline'].includes(command.kind);
  assert.ok(isDeparture || (command.kind === 'return' && about.idempotencyKey.includes(' ')));
  return command.kind === 'return' ? 'return' : 'departure';
}

export function keyOf(request: TransferRequest): IdempotencyKey {
  return request.facts.idempotencyKey;
}
