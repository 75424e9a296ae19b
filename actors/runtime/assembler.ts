/**
 * From commands whose key is known to be new, to the rows of the next batch. A request of several parts (a transfer, a
 * group) is decided at once and whole: its rows stand side by side in one batch, or none of them does.
 *
 * Whose turn it is, so that one account or tenant with many commands does not keep the others waiting, stands in turns.ts.
 * Knows no store.
 */
import { chainText } from '../account/chain.ts';
import { decide, InvariantViolation } from '../account/domain.ts';
import type { AccountState, Command, Posting, RefusalCode } from '../account/model.ts';
import type { Clock, Log, PostedRow, RefusedRow, StoredOutcome } from '../ports.ts';
import type { Actor, Pending, PendingPart } from './actor.ts';
import type { RuntimeLimits } from './limits.ts';
import type { Outcome } from './outcome.ts';
import { Turns } from './turns.ts';

export interface AssemblerPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: RuntimeLimits;
  /** SHA-256 of a text, 64 lower-case hex characters: the links of the hash chain. */
  readonly digest: (text: string) => string;
  /** Takes the command out of whatever waits for it, and answers. */
  readonly settle: (pending: Pending, outcome: Outcome) => void;
  /** Loads an actor again whose state turned out to be wrong. */
  readonly reload: (actor: Actor) => void;
}

/** Decided rows and whom to tell, aligned by kind. A request of several parts stands once per part. */
export class Rows {
  readonly posted: PostedRow[] = [];
  readonly postedBy: Pending[] = [];
  readonly postedActors: Actor[] = [];
  readonly postedStates: AccountState[] = [];
  readonly refused: RefusedRow[] = [];
  readonly refusedBy: Pending[] = [];
  /** Keys of some were not looked up. */
  isOptimistic = false;
  /** All of them, in the order of decision. */
  readonly pendings: Pending[] = [];

  get empty(): boolean {
    return this.pendings.length === 0;
  }

  get size(): number {
    return this.posted.length + this.refused.length;
  }

  /** They are on disk: readers may see what they made of their accounts. */
  commit(): void {
    for (const [place, actor] of this.postedActors.entries()) {
      actor.committed = this.postedStates[place] as AccountState;
      actor.committedHash = (this.posted[place] as PostedRow).hash;
    }
  }
}

export class Assembler {
  readonly #ports: AssemblerPorts;
  readonly #turns = new Turns();
  #open = new Rows();
  /** What the request that is being decided has changed so far. */
  readonly #trail: { readonly actor: Actor; readonly ahead: AccountState; readonly aheadHash: string | null }[] = [];
  replaysTotal = 0;

  constructor(ports: AssemblerPorts) {
    this.#ports = ports;
  }

  /** Queues the actor if its first request can be decided. */
  wake(actor: Actor): void {
    this.#turns.wake(actor);
  }

  /** Wakes the actor, and those whose requests have a part for it. */
  wakeAround(actor: Actor): void {
    this.wake(actor);
    for (const dependent of actor.dependents) this.wake(dependent);
  }

  /** Decides until the batch has `rowsMax` rows or nobody can go on; a request of more parts than that goes alone. */
  fill(rowsMax: number): void {
    const takeTurn = (actor: Actor, rowsEnd: number): boolean => this.#turn(actor, rowsEnd, rowsMax);
    let hasRoom = true;
    while (hasRoom && !this.#turns.empty) hasRoom = this.#turns.round(this.#open, rowsMax, takeTurn);
  }

  /** True when the batch has no room for this actor's next request: it is the first to go on in the next one. */
  #turn(actor: Actor, rowsEnd: number, rowsMax: number): boolean {
    for (let turn = 0; turn < this.#ports.limits.turnCommandsMax && this.#open.size < rowsEnd; turn++) {
      const pending = actor.peek();
      if (!pending?.canBeDecided) return false;
      if (!this.#open.empty && this.#open.size + pending.partCount > rowsMax) return true;
      actor.shift();
      this.#decideOne(pending);
    }
    return false;
  }

  get empty(): boolean {
    return this.#open.empty;
  }

  /** Whether about `commands` wait that can go on. */
  hasReady(commands: number): boolean {
    return this.#turns.hasReady(commands);
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
      for (const { actor } of pending.also) actor.fallBack();
      const own = byActor.get(pending.actor);
      if (own) own.push(pending);
      else byActor.set(pending.actor, [pending]);
    }
    for (const [actor, own] of byActor) {
      actor.fallBack();
      actor.putBack(own);
      this.wake(actor);
    }
  }

  /** Gives everything up that is not on its way to the store: the actors to be emptied, and the decided commands. */
  clear(): { readonly actors: readonly Actor[]; readonly pendings: readonly Pending[] } {
    const actors = this.#turns.takeAll();
    const { pendings } = this.take();
    for (const pending of pendings) fallBack(pending);
    return { actors, pendings };
  }

  #decideOne(pending: Pending): void {
    if (pending.answered) return;
    const { request, found } = pending;
    if (found) {
      this.replaysTotal++;
      return this.#ports.settle(pending, replayOf(found, request.facts.requestHash));
    }
    if (pending.isKeyTaken) return this.#ports.settle(pending, { type: 'key_reused' });
    if (request.deadlineMs <= this.#ports.clock.monotonicMs()) {
      return this.#ports.settle(pending, { type: 'expired' });
    }
    try {
      this.#decideParts(pending, this.#ports.clock.nowMs());
    } catch (cause) {
      this.#undo();
      if (!(cause instanceof InvariantViolation)) throw cause;
      return this.#violated(pending, cause);
    }
    this.#trail.length = 0;
    pending.decided = true;
    if (pending.isOptimistic) this.#open.isOptimistic = true;
    this.#open.pendings.push(pending);
  }

  /** All parts one after the other, each on what the ones before made; the first refusal undoes them all. */
  #decideParts(pending: Pending, nowMs: number): void {
    const { posted, postedBy, postedActors, postedStates } = this.#open;
    for (let part = 0; part < pending.partCount; part++) {
      const { actor, facts, command } = partOf(pending, part);
      const before = actor.ahead as AccountState;
      const leading = part === 0 ? undefined : posted.at(-part)?.posting;
      const decision = decide(before, carrying(command, leading), nowMs);
      if (decision.type === 'refuse') {
        this.#undo();
        this.#open.refused.push(refusalOf(pending, part, before, decision.code, nowMs));
        this.#open.refusedBy.push(pending);
        return;
      }
      const { posting, state } = decision;
      const hash = this.#ports.digest(chainText(actor.aheadHash, { facts, posting }));
      this.#trail.push({ actor, ahead: before, aheadHash: actor.aheadHash });
      actor.ahead = state;
      actor.aheadHash = hash;
      posted.push({ facts, posting, hash });
      postedBy.push(pending);
      postedActors.push(actor);
      postedStates.push(state);
    }
  }

  /** Takes the rows of the request that is being decided out of the open batch again. */
  #undo(): void {
    const { posted, postedBy, postedActors, postedStates } = this.#open;
    for (let step = this.#trail.pop(); step !== undefined; step = this.#trail.pop()) {
      step.actor.ahead = step.ahead;
      step.actor.aheadHash = step.aheadHash;
      for (const rows of [posted, postedBy, postedActors, postedStates]) rows.pop();
    }
  }

  /** A bug, not a refusal. Its actors start again from the store, unless a batch still builds on their state. */
  #violated(pending: Pending, cause: InvariantViolation): void {
    const { accountId } = pending.actor;
    this.#ports.log.error('invariant violated', { accountId, invariant: cause.message });
    this.#ports.settle(pending, { type: 'failed' });
    for (const { actor } of [pending, ...pending.also]) {
      if (actor.ahead !== actor.committed || actor.committed === null) continue;
      actor.discard();
      if (actor.peek() !== null || actor.dependents.length > 0) this.#ports.reload(actor);
    }
  }
}

/** A part by its number; 0 is the request itself. */
function partOf(pending: Pending, part: number): Pending | PendingPart {
  return part === 0 ? pending : (pending.also[part - 1] as PendingPart);
}

/** What a transfer brings in comes from the lots that it took out: points do not outlive their day by being moved. */
function carrying(command: Command, leading: Posting | undefined): Command {
  if (command.kind !== 'transfer_in' || leading?.detail?.lots === undefined) return command;
  return { ...command, lots: leading.detail.lots.map(([day, change]) => [day, -change] as const) };
}

function refusalOf(
  pending: Pending,
  part: number,
  state: AccountState,
  code: RefusalCode,
  occurredAtMs: number,
): RefusedRow {
  const { command } = partOf(pending, part);
  const kind = kindOf(command);
  const amount = 'amount' in command ? (command.amount ?? 0) : 0;
  const { balance, held, version } = state;
  return { facts: pending.request.facts, kind, amount, code, balance, held, version, occurredAtMs, part };
}

function kindOf(command: Command): RefusedRow['kind'] {
  switch (command.kind) {
    case 'due':
      return 'expire';
    case 'purchase':
      return 'earn';
    case 'return':
      return 'reverse';
    case 'clear':
      return command.as.kind;
    case 'decline':
      return command.of;
    default:
      return command.kind;
  }
}

function fallBack(pending: Pending): void {
  pending.actor.fallBack();
  for (const { actor } of pending.also) actor.fallBack();
}

/** What a key's stored outcome means for a request with that key. */
export function replayOf(stored: StoredOutcome, requestHash: string): Outcome {
  if (stored.facts.requestHash !== requestHash) return { type: 'key_reused' };
  if (stored.type === 'refused') return { type: 'refused', row: stored, replayed: true };
  return { type: 'posted', row: stored, transactionId: stored.transactionId, replayed: true, also: [] };
}
