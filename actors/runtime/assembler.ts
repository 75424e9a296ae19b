/**
 * From commands whose key is known to be new, to the rows of the next batch.
 *
 * Holds the actors that can go on, in the order in which they became able to, and gives each a bounded turn, so that
 * one account with many commands does not keep the others waiting. Knows no store.
 */
import { type AccountState, decide, InvariantViolation } from '../account/domain.ts';
import type { Clock, Log, PostedRow, RefusedRow, StoredOutcome } from '../ports.ts';
import type { Actor, Pending } from './actor.ts';
import type { RuntimeLimits } from './limits.ts';
import type { Outcome } from './outcome.ts';

export interface AssemblerPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: RuntimeLimits;
  /** Takes the command out of whatever waits for it, and answers. */
  readonly settle: (pending: Pending, outcome: Outcome) => void;
  /** Loads an actor again whose state turned out to be wrong. */
  readonly reload: (actor: Actor) => void;
}

/** Decided rows and whom to tell, aligned by kind. */
export class Rows {
  readonly posted: PostedRow[] = [];
  readonly postedBy: Pending[] = [];
  readonly postedStates: AccountState[] = [];
  readonly refused: RefusedRow[] = [];
  readonly refusedBy: Pending[] = [];
  /** All of them, in the order of decision. */
  readonly pendings: Pending[] = [];

  get empty(): boolean {
    return this.pendings.length === 0;
  }
}

export class Assembler {
  readonly #ports: AssemblerPorts;
  #ready: Actor[] = [];
  #open = new Rows();
  replaysTotal = 0;

  constructor(ports: AssemblerPorts) {
    this.#ports = ports;
  }

  /** Queues the actor if its state is there and its first command's key has been looked up. */
  wake(actor: Actor): void {
    if (actor.queued || actor.committed === null || actor.peek()?.found === undefined) return;
    actor.queued = true;
    this.#ready.push(actor);
  }

  /** Decides until the batch has `commandsMax` commands or nobody can go on. */
  fill(commandsMax: number): void {
    const ready = this.#ready;
    let next = 0;
    while (next < ready.length && this.#open.pendings.length < commandsMax) {
      const actor = ready[next++] as Actor;
      actor.queued = false;
      for (let turn = 0; turn < this.#ports.limits.turnCommandsMax; turn++) {
        const pending = actor.peek();
        if (pending?.found === undefined || this.#open.pendings.length >= commandsMax) break;
        actor.shift();
        this.#decideOne(actor, pending, pending.found);
      }
      this.wake(actor);
    }
    ready.splice(0, next);
  }

  get empty(): boolean {
    return this.#open.empty;
  }

  /** Whether about `commands` wait that can go on, or nearly: of an account's waiting commands the first is enough. */
  hasReady(commands: number): boolean {
    let count = 0;
    for (const actor of this.#ready) {
      count += actor.mailboxLength;
      if (count >= commands) return true;
    }
    return false;
  }

  /** Hands the batch over; the next one starts empty. */
  take(): Rows {
    const rows = this.#open;
    this.#open = new Rows();
    return rows;
  }

  /** Undoes the decisions of what was not written, and queues its commands again, in front and in order. */
  putBack(pendings: readonly Pending[]): void {
    const byActor = new Map<Actor, Pending[]>();
    for (const pending of pendings) {
      pending.decided = false;
      const own = byActor.get(pending.actor);
      if (own) own.push(pending);
      else byActor.set(pending.actor, [pending]);
    }
    for (const [actor, own] of byActor) {
      actor.ahead = actor.committed;
      actor.putBack(own);
      this.wake(actor);
    }
  }

  /** Gives everything up that is not on its way to the store: the actors to be emptied, and the decided commands. */
  clear(): { readonly actors: readonly Actor[]; readonly pendings: readonly Pending[] } {
    const actors = this.#ready;
    this.#ready = [];
    for (const actor of actors) actor.queued = false;
    const { pendings } = this.take();
    for (const pending of pendings) pending.actor.ahead = pending.actor.committed;
    return { actors, pendings };
  }

  #decideOne(actor: Actor, pending: Pending, found: StoredOutcome | null): void {
    if (pending.answered) return;
    const { request } = pending;
    if (found !== null) {
      this.replaysTotal++;
      return this.#ports.settle(pending, replayOf(found, request.facts.requestHash));
    }
    if (request.deadlineMs <= this.#ports.clock.monotonicMs()) {
      return this.#ports.settle(pending, { type: 'expired' });
    }
    const state = actor.ahead as AccountState;
    try {
      this.#post(actor, pending, state);
    } catch (cause) {
      if (!(cause instanceof InvariantViolation)) throw cause;
      return this.#violated(actor, pending, cause);
    }
    pending.decided = true;
    this.#open.pendings.push(pending);
  }

  #post(actor: Actor, pending: Pending, state: AccountState): void {
    const { facts, command } = pending.request;
    const nowMs = this.#ports.clock.nowMs();
    const decision = decide(state, command, nowMs);
    if (decision.type === 'post') {
      actor.ahead = decision.state;
      this.#open.posted.push({ facts, posting: decision.posting });
      this.#open.postedBy.push(pending);
      this.#open.postedStates.push(decision.state);
      return;
    }
    const { balance, held, version } = state;
    const { kind, amount } = command;
    this.#open.refused.push({ facts, kind, amount, code: decision.code, balance, held, version, occurredAtMs: nowMs });
    this.#open.refusedBy.push(pending);
  }

  /** A bug, not a refusal. The actor starts again from the store, unless a batch still builds on its state. */
  #violated(actor: Actor, pending: Pending, cause: InvariantViolation): void {
    this.#ports.log.error('invariant violated', { accountId: actor.accountId, invariant: cause.message });
    this.#ports.settle(pending, { type: 'failed' });
    if (actor.ahead !== actor.committed) return;
    actor.discard();
    if (actor.peek() !== undefined) this.#ports.reload(actor);
  }
}

/** What a key's stored outcome means for a request with that key. */
export function replayOf(stored: StoredOutcome, requestHash: string): Outcome {
  if (stored.facts.requestHash !== requestHash) return { type: 'key_reused' };
  if (stored.type === 'refused') return { type: 'refused', row: stored, replayed: true };
  return { type: 'posted', row: stored, transactionId: stored.transactionId, replayed: true };
}
