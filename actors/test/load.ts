/**
 * A load in virtual time: the real runtime on a ledger in memory whose statements take as long as the test says, and
 * clients who come at a rate, whatever becomes of those before. Seeded: the same load has the same figures to the last digit.
 */
import { type AccountId, type IdempotencyKey, type ProgramId, type RequestId, uuidV7 } from '@local-plus/contracts';
import { newAccountId } from '../conformance/rows.ts';
import {
  type AccountRequest,
  type LedgerStore,
  MemoryLedger,
  type Outcome,
  Runtime,
  type RuntimeLimits,
  runtimeLimits,
} from '../index.ts';
import { Clockwork } from '../simulator/clockwork.ts';
import { Random } from '../simulator/random.ts';

/** Times are milliseconds, by the virtual clock. */
export interface LoadOptions {
  readonly limits?: Partial<RuntimeLimits>;
  /** How long the store takes for so many rows, and for so many look-ups; either one after the other. */
  readonly commitMs: (rows: number, nowMs: number) => number;
  readonly lookUpMs?: (lookUps: number, nowMs: number) => number;
}

/** Who asks: earns of 1, each under a key of its own, evenly over the accounts. */
export interface Group {
  readonly tenant: string;
  readonly accounts: readonly AccountId[];
  readonly perSecond: number;
  readonly fromMs?: number;
  readonly untilMs: number;
  /** How long a client waits. */
  readonly budgetMs?: number;
  /** Who is refused comes again when it was told to, as the same command. */
  readonly returns?: boolean;
}

/** What became of a group's commands. */
export class Tally {
  offered = 0;
  readonly counts: Record<Outcome['type'], number> = {
    posted: 0,
    refused: 0,
    key_reused: 0,
    overloaded: 0,
    expired: 0,
    unavailable: 0,
    failed: 0,
  };
  /** Of what was posted: when, and after how long. */
  readonly posted: { readonly atMs: number; readonly waitedMs: number }[] = [];
  readonly retryAfterMs: number[] = [];

  /** Of what was posted in a time: the wait that the given share did not exceed. */
  waitedMs(share: number, fromMs = 0, untilMs = Number.POSITIVE_INFINITY): number {
    const waits = this.posted.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs).map((each) => each.waitedMs);
    waits.sort((one, other) => one - other);
    return waits[Math.min(waits.length - 1, Math.floor(waits.length * share))] ?? 0;
  }

  /** Posted per second. */
  goodput(fromMs: number, untilMs: number): number {
    const count = this.posted.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs).length;
    return count / ((untilMs - fromMs) / 1_000);
  }
}

export function newAccounts(count: number): AccountId[] {
  return Array.from({ length: count }, newAccountId);
}

const WALL_MS = 1_700_000_000_000;
const LINK = 'f'.repeat(64);
const programId = uuidV7<ProgramId>(WALL_MS);
const requestId = uuidV7<RequestId>(WALL_MS);

export class Load {
  readonly ledger = new MemoryLedger();
  readonly runtime: Runtime;
  readonly #clockwork = new Clockwork(null);
  readonly #random = new Random(1, 0);
  readonly #options: LoadOptions;
  readonly #started: Promise<void>;
  #commands = 0;
  /** The most that was waiting at the end of a millisecond. */
  pendingMax = 0;
  /** Statements in the air now end then. */
  #writesUntilMs = 0;
  #readsUntilMs = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    const clockwork = this.#clockwork;
    this.runtime = new Runtime({
      store: this.#slow(this.ledger.connect()),
      clock: { nowMs: () => WALL_MS + clockwork.nowMs, monotonicMs: () => clockwork.nowMs },
      timer: {
        after: (delayMs, run) => {
          const happening = clockwork.after(delayMs, () => {
            clockwork.stir();
            run();
          });
          return () => {
            happening.run = null;
          };
        },
        soon: (run) => void clockwork.after(0, run),
      },
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      digest: () => LINK,
      writerId: 1,
      limits: { ...runtimeLimits, ...options.limits },
    });
    this.#started = this.runtime.start();
  }

  get nowMs(): number {
    return this.#clockwork.nowMs;
  }

  after(delayMs: number, run: () => void): void {
    this.#clockwork.after(delayMs, () => {
      this.#clockwork.stir();
      run();
    });
  }

  offer(group: Group): Tally {
    const tally = new Tally();
    let owed = 0;
    const tick = (): void => {
      if (this.nowMs >= group.untilMs) return;
      // Between none and twice as many as are due: bursts as of many clients who know nothing of each other.
      owed += (group.perSecond / 1_000) * (this.#random.below(2_001) / 1_000);
      for (; owed >= 1; owed--) this.#ask(group, tally);
      this.pendingMax = Math.max(this.pendingMax, this.runtime.status.pending);
      this.#clockwork.after(1, tick);
    };
    this.#clockwork.after(group.fromMs ?? 1, tick);
    return tally;
  }

  /** Lets it all happen until then. */
  async run(untilMs: number): Promise<void> {
    await this.#started;
    await this.#clockwork.run(untilMs, () => false);
  }

  #ask(group: Group, tally: Tally): void {
    const accountId = this.#random.pick(group.accounts);
    const idempotencyKey = `k${++this.#commands}` as IdempotencyKey;
    const asked = { requestHash: LINK, requestId, traceparent: null, reference: null, metadata: null };
    this.#post(group, tally, {
      facts: { accountId, programId, idempotencyKey, ...asked },
      command: { kind: 'earn', amount: 1, programId, expiry: null },
      tenant: group.tenant,
    });
  }

  #post(group: Group, tally: Tally, part: Omit<AccountRequest, 'deadlineMs'>): void {
    const askedMs = this.nowMs;
    tally.offered++;
    this.runtime.post({ ...part, deadlineMs: askedMs + (group.budgetMs ?? 10_000) }, (outcome) => {
      tally.counts[outcome.type]++;
      if (outcome.type === 'posted') tally.posted.push({ atMs: this.nowMs, waitedMs: this.nowMs - askedMs });
      if (outcome.type !== 'overloaded') return;
      const { retryAfterMs = 0 } = outcome;
      tally.retryAfterMs.push(retryAfterMs);
      if (group.returns) this.#clockwork.after(retryAfterMs, () => this.#post(group, tally, part));
    });
  }

  #slow(store: LedgerStore): LedgerStore {
    const { commitMs, lookUpMs = () => 1 } = this.#options;
    const at = <Answer>(doneMs: number, answer: () => Promise<Answer>): Promise<Answer> =>
      new Promise((resolve, reject) => this.after(doneMs - this.nowMs, () => answer().then(resolve, reject)));
    return {
      ...store,
      commit: (batch) => {
        const startMs = Math.max(this.nowMs, this.#writesUntilMs);
        this.#writesUntilMs = startMs + commitMs(batch.posted.length + batch.refused.length, this.nowMs);
        return at(this.#writesUntilMs, () => store.commit(batch));
      },
      lookUp: (questions) => {
        const startMs = Math.max(this.nowMs, this.#readsUntilMs);
        const count = Math.max(questions.keys.length, questions.accounts.length);
        this.#readsUntilMs = startMs + lookUpMs(count, this.nowMs);
        return at(this.#readsUntilMs, () => store.lookUp(questions));
      },
    };
  }
}
