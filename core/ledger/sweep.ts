/**
 * The sweep of due times: holds that nobody captured are released, lots whose day is over expire, without anybody asking.
 *
 *     find by the index → per account: read its state → `due` command → again, until its due moment is in the future
 *
 * S1 It decides nothing and writes nothing: each posting is an ordinary command of the account's actor, which looks at the
 *    time itself. A sweep that runs twice, or in two processes, posts everything once.
 * S2 What it keeps, how it paces itself, and what bounds it: `Sweep` of actors. Beside that, the postings per visit are bounded.
 *
 * Must not know: SQL, lots, holds.
 */
import {
  type AccountRequest,
  type AccountState,
  type Clock,
  type DueAccount,
  type Log,
  type Outcome,
  Sweep,
  SweepCounters,
  type Timer,
  type Visit,
} from '@local-plus/actors';
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
export class DueSweepCounters extends SweepCounters {
  /** Releases and expiries. */
  postings = 0;
  /** By how much the longest due account of the last round was late. */
  lateMs = 0;
}

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
  readonly #sweep: Sweep<DueAccount>;
  readonly counters = new DueSweepCounters();

  constructor(ports: DueSweepPorts) {
    const limits = ports.limits ?? dueSweepLimits;
    this.#ports = ports;
    this.#limits = limits;
    this.#sweep = new Sweep({
      ...ports,
      of: 'due times',
      find: (itemsMax) => this.#find(itemsMax),
      idOf: ({ accountId }) => accountId,
      visit: (account, tries) => this.#visit(account, tries),
      counters: this.counters,
      limits: { ...limits, sweepMs: limits.sweepDueMs, itemsMax: limits.accountsMax },
    });
  }

  /** The first round begins at once. */
  start(): void {
    this.#sweep.start();
  }

  /** Resolves when nothing of it is under way: after the commands that are, at their deadline at the latest. */
  stop(): Promise<void> {
    return this.#sweep.stop();
  }

  /** Accounts that are set aside now. */
  get aside(): number {
    return this.#sweep.aside;
  }

  async #find(accountsMax: number): Promise<readonly DueAccount[]> {
    const nowMs = this.#ports.clock.nowMs();
    const due = await this.#ports.find(nowMs, accountsMax);
    this.counters.lateMs = due[0] === undefined ? 0 : Math.max(0, nowMs - due[0].dueAtMs);
    return due;
  }

  async #visit({ accountId, programId }: DueAccount, tries: number): Promise<Visit> {
    const { read, clock } = this.#ports;
    for (let posting = 0; posting < this.#limits.postingsMax; posting++) {
      const state = await read(accountId);
      if (state === null) return 'trouble';
      const isDue = state.dueAtMs !== null && state.dueAtMs <= clock.nowMs();
      // Found as due, and not due by its state: the state is behind what was found, or the index is.
      if (!isDue) return posting > 0 ? 'done' : 'aside';
      const visit = await this.#post({ accountId, programId }, state.version, tries);
      if (visit !== 'done') return visit;
    }
    return 'done';
  }

  async #post(account: Pick<DueAccount, 'accountId' | 'programId'>, version: number, tries: number): Promise<Visit> {
    const { submit, clock } = this.#ports;
    const { accountId, programId } = account;
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
}

/**
 * The same version, the same key: what is due in a state is posted once. But a refusal stays with its key; if a clock that
 * went back made one, asking again under the same key would never come to anything. Clients' keys have no spaces.
 */
function keyOf(version: number, tries: number): IdempotencyKey {
  return (tries === 0 ? `due ${version}` : `due ${version} ${tries}`) as IdempotencyKey;
}
