/**
 * What all parts of one history share: its plan, its time, its trace, what was met in it, and its first violation.
 */
import { Clockwork, type Drain } from './clockwork.ts';
import type { FaultKind, Plan } from './plan.ts';

/** What a history can meet beside its faults; a run that never met one of them has not tried it. */
export const situations = [
  'ghost executed',
  'ghost applied',
  'two batches in the air',
  'batch refused',
  'optimistic batch committed',
  'optimistic batch refused',
  'batch refused with a successor in the air',
  'epoch raised',
  'found applied when sent again',
  'commit fenced off',
  'superseded',
  'actor evicted',
  'actor unshelved',
  'account restored through a tail',
  'account restored from a checkpoint',
  'replayed',
  'refused by the account',
  'key reused',
  'expired',
  'overloaded',
  'unavailable',
  'failed',
  'read by a zombie',
  'read while a commit was in the air',
  'several parts posted',
  'several parts refused',
] as const;
export type Situation = (typeof situations)[number];

export type Met = FaultKind | Situation;

const HASH_START = 0x811c9dc5;
const HASH_PRIME = 0x01000193;

export class World {
  readonly plan: Plan;
  readonly clockwork: Clockwork;
  /** Null where nobody will read it: then its lines are never put together. */
  readonly #trace: string[] | null;
  readonly met = new Map<Met, number>();
  /** While false, nothing new goes wrong. */
  faultsAreOn = true;
  /** The first one; the history ends there. */
  violation: string | null = null;
  #hash = HASH_START;

  constructor(plan: Plan, trace: string[] | null, drain: Drain | null) {
    this.plan = plan;
    this.#trace = trace;
    this.clockwork = new Clockwork(drain);
  }

  get nowMs(): number {
    return this.clockwork.nowMs;
  }

  /** Tells two histories apart. */
  get hash(): number {
    return this.#hash >>> 0;
  }

  mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ (value | 0), HASH_PRIME);
    this.#hash ^= this.#hash >>> 15;
  }

  meet(what: Met): void {
    this.met.set(what, (this.met.get(what) ?? 0) + 1);
  }

  get isTraced(): boolean {
    return this.#trace !== null;
  }

  /** Only where {@link isTraced}: a line costs more than what it tells of. */
  tell(who: string, what: string): void {
    this.#trace?.push(`${String(this.nowMs).padStart(7)} ms  ${who.padEnd(10)} ${what}`);
  }

  /** An invariant does not hold. */
  violate(invariant: string, what: string): void {
    if (this.violation !== null) return;
    this.violation = `${invariant}: ${what}`;
    if (this.isTraced) this.tell('VIOLATION', this.violation);
  }
}
