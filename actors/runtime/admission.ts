/**
 * Who is let in. A command is refused at once, instead of late, where it would wait too long for its turn.
 *
 * - Q1 by time, not by length alone: what waits before it, divided by how fast the stages go, is its expected wait. It is
 *   refused when its deadline would pass before the commit, or when it would wait for its turn longer than `queueMsMax`.
 * - Q2 by its own wait: turns are shared among tenants and among a tenant's accounts (turns.ts), so that nobody waits for
 *   more than all others' equal shares. Whoever has much waiting is refused first, by the same rule for all.
 * - Q3 what fits into the next statement is never too much, and an idle lane lets everybody in: an estimate that keeps all
 *   commands away would never be corrected.
 * - Q4 a tenant may have at most `tenantShare` times as many rows waiting as there are places free: however many tenants
 *   are greedy, there is room for one who comes new (dynamic thresholds, Choudhury and Hahne, 1998).
 *
 * Retry-After follows from the estimate and from who was sent away before: those come back, too, and are given their times
 * one after the other, at the pace at which their tenant is served.
 *
 * O(1) and without allocation.
 */
import type { Clock } from '../ports.ts';
import type { Actor, Pending } from './actor.ts';
import type { RuntimeLimits } from './limits.ts';
import { type Stage, waitMs } from './pace.ts';
import type { Tenant, Tenants } from './tenants.ts';

/**
 * - `queue_time`: Q1.
 * - `mailbox`: too many wait for the account.
 * - `tenant_share`: Q4.
 * - `process`: too many wait in all, or in memory; or a further part's key is on its way.
 */
export type RefusalReason = 'queue_time' | 'mailbox' | 'tenant_share' | 'process';

/**
 * Who has much waiting is overtaken by those who come later and have little. Twice what waits now is about what comes before
 * the last command of a busy account: measured under loads of 1 to 5,000 accounts.
 */
const OVERTAKEN = 2;

export interface CommitStage extends Stage {
  readonly rowsInFlight: number;
}

export interface LookUpStage extends Stage {
  /** What waits to be asked. */
  readonly waiting: number;
  /** Keys that wait or are asked now. */
  readonly keysUnanswered: number;
}

export class Admission {
  readonly #limits: RuntimeLimits;
  readonly #clock: Clock;
  readonly #commits: CommitStage;
  readonly #lookUps: LookUpStage;
  readonly #tenants: Tenants<Actor>;
  /** Rows of accepted requests that are not answered; of those who only wait with another one, none. */
  #rowsWaiting = 0;
  /** Plain numbers, read when scraped. */
  readonly refusals: Record<RefusalReason, number> = { queue_time: 0, mailbox: 0, tenant_share: 0, process: 0 };

  constructor(
    limits: RuntimeLimits,
    clock: Clock,
    commits: CommitStage,
    lookUps: LookUpStage,
    tenants: Tenants<Actor>,
  ) {
    this.#limits = limits;
    this.#clock = clock;
    this.#commits = commits;
    this.#lookUps = lookUps;
    this.#tenants = tenants;
  }

  entered({ tenant, partCount, isFollower }: Pending): void {
    this.#tenants.entered(tenant, partCount);
    if (!isFollower) this.#rowsWaiting += partCount;
  }

  left({ tenant, partCount, isFollower }: Pending): void {
    this.#tenants.left(tenant, partCount);
    if (!isFollower) this.#rowsWaiting -= partCount;
  }

  /** So little waits that nobody needs to be asked about. */
  isRoomy(placesFree: number): boolean {
    const { perStatement, rowsInFlight } = this.#commits;
    if (this.#tenants.rowsWaiting > this.#limits.tenantShare * placesFree) return false;
    return this.#rowsWaiting - rowsInFlight < perStatement && this.#lookUps.waiting < this.#lookUps.perStatement;
  }

  /** How long until what comes behind everything that waits now is sent, in milliseconds. */
  backlogMs(): number {
    const nowMs = this.#clock.monotonicMs();
    const rowsUndecided = Math.max(0, this.#rowsWaiting - this.#commits.rowsInFlight);
    const lookUpMs = waitMs(this.#lookUps, this.#lookUps.waiting, nowMs);
    return Math.max(waitMs(this.#commits, rowsUndecided, nowMs), lookUpMs);
  }

  /**
   * Why a command is not let in; null: it is.
   *
   * @param mailboxLength commands that wait for the same account
   * @param placesFree how many more requests there is room for
   * @param deadlineMs infinity: it costs the lane nothing
   */
  refusalOf(
    tenant: Tenant<Actor>,
    mailboxLength: number,
    placesFree: number,
    deadlineMs: number,
  ): RefusalReason | null {
    if (placesFree <= 0) return 'process';
    if (tenant.rowsWaiting > this.#limits.tenantShare * placesFree) return 'tenant_share';
    if (mailboxLength >= this.#limits.mailboxMax) return 'mailbox';
    if (deadlineMs === Number.POSITIVE_INFINITY) return null;
    return this.#isTooLate(tenant, mailboxLength, deadlineMs) ? 'queue_time' : null;
  }

  /** Q1, Q2, Q3. */
  #isTooLate(tenant: Tenant<Actor>, mailboxLength: number, deadlineMs: number): boolean {
    const nowMs = this.#clock.monotonicMs();
    const commits = this.#commits;
    const lookUps = this.#lookUps;
    if (this.#rowsWaiting === 0 && commits.flightCount === 0) return false;
    const rowsAhead = this.#rowsAhead(tenant, mailboxLength);
    const commitWaitMs = waitMs(commits, rowsAhead, nowMs);
    const keysAhead = Math.min(lookUps.waiting, tenant.rowsWaiting * this.#tenants.activeCount);
    const lookUpWaitMs = waitMs(lookUps, keysAhead, nowMs);
    const commitMs = commits.pace.statementMs(commits.oldestSentMs, nowMs);
    if (nowMs + Math.max(commitWaitMs, lookUpWaitMs) + commitMs > deadlineMs) return true;
    const { queueMsMax } = this.#limits;
    if (commitWaitMs > queueMsMax && rowsAhead >= commits.perStatement) return true;
    return lookUpWaitMs > queueMsMax && keysAhead >= lookUps.perStatement;
  }

  /**
   * Rows that get their turn before a new command: those whose keys are looked up before its own, and an equal share for
   * each of those who share with it; but not much more than what waits.
   */
  #rowsAhead({ rowsWaiting, ready }: Tenant<Actor>, mailboxLength: number): number {
    const activeCount = Math.max(1, this.#tenants.activeCount);
    const { rowsInFlight } = this.#commits;
    const rowsOfAll = this.#rowsWaiting - rowsInFlight;
    const rowsOfTenant = rowsWaiting - rowsInFlight / activeCount;
    const shares = (mailboxLength + 1) * ready.length + this.#lookUps.keysUnanswered;
    const inTenant = Math.min(OVERTAKEN * rowsOfTenant, shares);
    return Math.max(0, Math.min(OVERTAKEN * rowsOfAll, inTenant * activeCount));
  }

  /**
   * Counts a command that is not let in, as one who comes back. How long it had better stay away, in milliseconds: until
   * what waits has passed, and those of its tenant who were sent away before have had their turn.
   */
  refused(tenant: Tenant<Actor>, reason: RefusalReason): number {
    this.refusals[reason]++;
    const nowMs = this.#clock.monotonicMs();
    const { retryAfterMsMin, retryAfterMsMax } = this.#limits;
    const { pace, oldestSentMs, perStatement } = this.#commits;
    const rowsPerMs = perStatement / Math.max(1, pace.statementMs(oldestSentMs, nowMs));
    const ownPerMs = rowsPerMs / Math.max(1, this.#tenants.activeCount);
    const still = Math.max(0, tenant.returning - (nowMs - tenant.returningMs) * ownPerMs);
    tenant.returning = Math.min(still + 1, ownPerMs * retryAfterMsMax);
    tenant.returningMs = nowMs;
    const awayMs = this.backlogMs() + tenant.returning / ownPerMs;
    return Math.min(Math.max(awayMs, retryAfterMsMin), retryAfterMsMax);
  }
}
