/**
 * The sweep of due times: holds that nobody captured are released, lots whose day is over expire, without anybody asking.
 *
 *     find by the index → per account: read its state → `due` command → again, until its due moment is in the future
 *
 * S1 It decides nothing and writes nothing: each posting is an ordinary command of the account's actor, which looks at the
 *    time itself. A sweep that runs twice, or in two processes, posts everything once.
 * S2 It keeps nothing that could be lost: what is not done is still in the index when it looks again.
 * S3 It never throws and never spins. The store in trouble ends the round, and the pause grows; an account in trouble is
 *    set aside for a while, and the others go on: as many more are asked for as are set aside.
 * S4 Everything is bounded: accounts per round, accounts at a time, postings per visit, accounts set aside.
 *
 * Must not know: SQL, lots, holds.
 */
import type { AccountRequest, AccountState, Clock, DueAccount, Log, Outcome, Timer } from '@local-plus/actors';
import { type AccountId, type IdempotencyKey, type RequestId, uuidV7 } from '@local-plus/contracts';
import { sha256Hex128 } from '../platform/digest/index.ts';

export interface DueSweepPorts {
  /** Accounts that have something due at `nowMs`, the longest due first; may reject. */
  readonly find: (nowMs: number, accountsMax: number) => Promise<readonly DueAccount[]>;
  /** {@link Runtime.submit} */
  readonly submit: (request: AccountRequest) => Promise<Outcome>;
  /** {@link Runtime.read} */
  readonly read: (accountId: AccountId) => Promise<AccountState | null> | AccountState | null;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly log: Log;
  readonly limits?: DueSweepLimits;
}

/** Times are milliseconds. */
export interface DueSweepLimits {
  /** The pause between two rounds; none after a round that was full. */
  readonly sweepDueMs: number;
  /** What the pause after trouble with the store grows up to, from `sweepDueMs` on. */
  readonly pauseMsMax: number;
  /** For how long an account is set aside at most; at first for `sweepDueMs`. */
  readonly asideMsMax: number;
  readonly accountsMax: number;
  /** Accounts at a time: clients' commands go on beside them. */
  readonly concurrencyMax: number;
  /** Postings of one account before the next one's turn: each hold is one of its own, all its lots together are one. */
  readonly postingsMax: number;
  /** Accounts set aside; a further one is tried again in the next round. */
  readonly asideMax: number;
  /** How long a command may wait. */
  readonly deadlineMs: number;
}

export const dueSweepLimits: DueSweepLimits = {
  sweepDueMs: 1_000,
  pauseMsMax: 10_000,
  asideMsMax: 60_000,
  accountsMax: 200,
  concurrencyMax: 16,
  postingsMax: 64,
  asideMax: 2_000,
  deadlineMs: 5_000,
};

/** Plain numbers, read when scraped. */
export class DueSweepCounters {
  rounds = 0;
  /** Releases and expiries. */
  postings = 0;
  /** Accounts that were set aside: each time counts. */
  asides = 0;
  /** Rounds that the store ended. */
  troubles = 0;
  /** By how much the longest due account of the last round was late. */
  lateMs = 0;
}

/** Set aside until `untilMs` of the monotonic clock; `tries` in a row came to nothing. */
interface Aside {
  readonly untilMs: number;
  readonly tries: number;
}

/** How a visit ended: what it could do is done; the account can only go on later; the store is in trouble. */
type Visit = 'done' | 'aside' | 'trouble';

/** `overloaded`, `expired`: possibly by this account alone, so the others go on. */
const visits: Readonly<Record<Outcome['type'], Visit>> = {
  posted: 'done',
  refused: 'aside',
  overloaded: 'aside',
  expired: 'aside',
  key_reused: 'aside',
  failed: 'aside',
  unavailable: 'trouble',
};

export class DueSweep {
  readonly #ports: DueSweepPorts;
  readonly #limits: DueSweepLimits;
  readonly counters = new DueSweepCounters();
  readonly #asides = new Map<AccountId, Aside>();
  #cancel: (() => void) | null = null;
  #round: Promise<void> | null = null;
  #running = false;
  #troubles = 0;

  constructor(ports: DueSweepPorts) {
    this.#ports = ports;
    this.#limits = ports.limits ?? dueSweepLimits;
  }

  /** The first round begins at once. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#next(0);
  }

  /** Resolves when nothing of it is under way: after the commands that are, at their deadline at the latest. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#cancel?.();
    await this.#round;
  }

  /** Accounts that are set aside now. */
  get aside(): number {
    return this.#asides.size;
  }

  #next(delayMs: number): void {
    this.#cancel = this.#ports.timer.after(delayMs, () => {
      this.#round = this.#sweep().then((pauseMs) => {
        this.#round = null;
        if (this.#running) this.#next(pauseMs);
      });
    });
  }

  /** One round; the pause after it. */
  async #sweep(): Promise<number> {
    const { sweepDueMs, pauseMsMax } = this.#limits;
    this.counters.rounds++;
    try {
      const isFull = await this.#visitAll(await this.#find());
      this.#troubles = 0;
      return isFull ? 0 : sweepDueMs;
    } catch (cause) {
      this.counters.troubles++;
      const pauseMs = Math.min(sweepDueMs * 2 ** this.#troubles, pauseMsMax);
      this.#troubles = Math.min(this.#troubles + 1, 30);
      this.#ports.log.warn('the sweep of due times pauses', { pauseMs, cause: String(cause) });
      return pauseMs;
    }
  }

  /** What is due, without what is set aside. */
  async #find(): Promise<readonly DueAccount[]> {
    const { clock } = this.#ports;
    const nowMs = clock.nowMs();
    const due = await this.#ports.find(nowMs, this.#limits.accountsMax + this.#asides.size);
    this.counters.lateMs = due[0] === undefined ? 0 : Math.max(0, nowMs - due[0].dueAtMs);
    this.#forget(due);
    const monotonicMs = clock.monotonicMs();
    const free = due.filter(({ accountId }) => (this.#asides.get(accountId)?.untilMs ?? 0) <= monotonicMs);
    return free.slice(0, this.#limits.accountsMax);
  }

  /** What was set aside and is not due any more was settled by others. */
  #forget(due: readonly DueAccount[]): void {
    if (this.#asides.size === 0) return;
    const still = new Set(due.map(({ accountId }) => accountId));
    for (const accountId of this.#asides.keys()) if (!still.has(accountId)) this.#asides.delete(accountId);
  }

  /** A few at a time. True: there may be more to do at once. Throws when the store is in trouble. */
  async #visitAll(due: readonly DueAccount[]): Promise<boolean> {
    let next = 0;
    let done = 0;
    let inTrouble = false;
    const visitor = async (): Promise<void> => {
      while (next < due.length && this.#running && !inTrouble) {
        const account = due[next++] as DueAccount;
        const visit = await this.#visit(account);
        if (visit === 'trouble') inTrouble = true;
        else if (visit === 'aside') this.#setAside(account.accountId);
        else {
          done++;
          this.#asides.delete(account.accountId);
        }
      }
    };
    await Promise.all(Array.from({ length: this.#limits.concurrencyMax }, visitor));
    if (inTrouble) throw new Error('the ledger takes no commands now');
    return done > 0 && due.length >= this.#limits.accountsMax;
  }

  async #visit({ accountId, programId }: DueAccount): Promise<Visit> {
    const { read, clock } = this.#ports;
    for (let posting = 0; posting < this.#limits.postingsMax; posting++) {
      const state = await read(accountId);
      if (state === null) return 'trouble';
      const isDue = state.dueAtMs !== null && state.dueAtMs <= clock.nowMs();
      // Found as due, and not due by its state: the state is behind what was found, or the index is.
      if (!isDue) return posting > 0 ? 'done' : 'aside';
      const visit = await this.#post({ accountId, programId }, state.version);
      if (visit !== 'done') return visit;
    }
    return 'done';
  }

  async #post(account: Pick<DueAccount, 'accountId' | 'programId'>, version: number): Promise<Visit> {
    const { submit, clock } = this.#ports;
    const { accountId, programId } = account;
    const tries = this.#asides.get(accountId)?.tries ?? 0;
    const key = keyOf(version, tries);
    const outcome = await submit({
      facts: {
        accountId,
        programId,
        idempotencyKey: key,
        requestHash: sha256Hex128(key),
        requestId: uuidV7<RequestId>(clock.nowMs()),
        traceparent: null,
        reference: null,
        metadata: null,
      },
      command: { kind: 'due', programId },
      deadlineMs: clock.monotonicMs() + this.#limits.deadlineMs,
    });
    this.#note(outcome, accountId, version);
    return visits[outcome.type];
  }

  #note(outcome: Outcome, accountId: AccountId, version: number): void {
    const { log } = this.#ports;
    const { type } = outcome;
    if (type === 'posted' && !outcome.replayed) this.counters.postings++;
    // Somebody was faster: what was due was captured, released or reversed meanwhile.
    if (type === 'refused') log.info('nothing was due any more', { accountId, version, code: outcome.row.code });
    if (type === 'failed' || type === 'key_reused') {
      log.error('what is due cannot be posted', { accountId, version, outcome: type });
    }
  }

  /** The longer, the more often it came to nothing. */
  #setAside(accountId: AccountId): void {
    this.counters.asides++;
    const { sweepDueMs, asideMsMax, asideMax } = this.#limits;
    const tries = (this.#asides.get(accountId)?.tries ?? 0) + 1;
    if (tries === 1 && this.#asides.size >= asideMax) return;
    const pauseMs = Math.min(sweepDueMs * 2 ** Math.min(tries - 1, 30), asideMsMax);
    this.#asides.set(accountId, { untilMs: this.#ports.clock.monotonicMs() + pauseMs, tries });
  }
}

/**
 * The same version, the same key: what is due in a state is posted once. But a refusal stays with its key; if a clock that
 * went back made one, asking again under the same key would never come to anything. Clients' keys have no spaces.
 */
function keyOf(version: number, tries: number): IdempotencyKey {
  return (tries === 0 ? `due ${version}` : `due ${version} ${tries}`) as IdempotencyKey;
}
