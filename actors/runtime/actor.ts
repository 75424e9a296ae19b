/**
 * The live side of one account: its state twice, its mailbox, and the commands that are on their way.
 *
 * `committed` is what readers may see (I4). `ahead` is what the next command is decided on: `committed` plus whatever
 * is in the open and the flying batch. When a batch fails, `ahead` falls back to `committed`.
 */
import type { AccountId, IdempotencyKey } from '@local-plus/contracts';
import type { AccountState, Command } from '../account/model.ts';
import type { RequestFacts, StoredOutcome } from '../ports.ts';
import type { Chained } from './chain.ts';
import { type Keyed, KeyTable } from './key-table.ts';
import { Line, type Linked } from './line.ts';
import type { AccountRequest, Outcome, Part } from './outcome.ts';
import type { Tenant } from './tenants.ts';

/** Who waits to learn whether a key was used. */
export interface KeyAsker extends Keyed {
  readonly actor: Actor;
  readonly tenant: Tenant<Actor> | null;
  readonly facts: RequestFacts;
  /** Whose key it is; null: of a part of no request yet. */
  readonly pending: Pending | null;
  learn(found: StoredOutcome | null): void;
}

/** A further command of a request, and the actor that it is for. */
export class PendingPart implements KeyAsker {
  readonly actor: Actor;
  readonly facts: RequestFacts;
  readonly command: Command;
  /** Whose part it is; set when the request is accepted. */
  pending: Pending | null = null;
  nextKeyed: Keyed | null = null;

  constructor(actor: Actor, { facts, command }: Part) {
    this.actor = actor;
    this.facts = facts;
    this.command = command;
  }

  get tenant(): Tenant<Actor> | null {
    return this.pending?.tenant ?? null;
  }

  learn(found: StoredOutcome | null): void {
    this.pending?.learnOfPart(found);
  }
}

const alone: readonly PendingPart[] = [];

/**
 * A request on its way. It is in exactly one place: its actor's mailbox, the open batch, the flying batch, or another
 * command's followers; and it is answered exactly once.
 */
export class Pending implements KeyAsker, Chained<Pending>, Linked<Pending> {
  readonly request: AccountRequest;
  /** Of the first part: whose mailbox it stands in, and whose key it carries. */
  readonly actor: Actor;
  /** Whose share it counts against. */
  readonly tenant: Tenant<Actor>;
  /** The further parts, posted with it or not at all. */
  readonly also: readonly PendingPart[];
  readonly #answer: (outcome: Outcome) => void;
  answered = false;
  /** What the first part's key was used for; null: for nothing, or not looked up yet. */
  found: StoredOutcome | null = null;
  /** A further part's key belongs to another request. */
  isKeyTaken = false;
  /** Keys that are not looked up yet. */
  #keysToLearn: number;
  /** Its key is taken for new without a look-up: the batch that it gets into has to see to it (W3). */
  isOptimistic = false;
  /** In the open or the flying batch: past being expired. */
  decided = false;
  /** Later commands with the same key, who get this one's outcome. */
  followers: Pending[] | null = null;
  /** It is one of them: it costs the lane nothing. */
  isFollower = false;
  /** Its places among the requests under way (chain.ts) and among its account's keys (key-table.ts): theirs alone to change. */
  isListed = false;
  nextKeyed: Keyed | null = null;
  previous: Pending | null = null;
  next: Pending | null = null;
  /** Its place in its actor's mailbox. */
  nextInLine: Pending | null = null;

  constructor(
    request: AccountRequest,
    actor: Actor,
    tenant: Tenant<Actor>,
    also: readonly PendingPart[],
    answer: (outcome: Outcome) => void,
  ) {
    this.request = request;
    this.actor = actor;
    this.tenant = tenant;
    this.also = also.length === 0 ? alone : also;
    this.#keysToLearn = 1 + also.length;
    for (const part of also) part.pending = this;
    this.#answer = answer;
  }

  get facts(): RequestFacts {
    return this.request.facts;
  }

  get pending(): Pending {
    return this;
  }

  get command(): Command {
    return this.request.command;
  }

  learn(found: StoredOutcome | null): void {
    this.found = found;
    this.#keysToLearn--;
  }

  /** It needs no look-up: the batch sees to its one key. */
  assumeKeyNew(): void {
    this.isOptimistic = true;
    this.#keysToLearn--;
  }

  /** Its key has to be looked up after all. */
  lookUpKeyAfterAll(): void {
    this.isOptimistic = false;
    this.#keysToLearn++;
  }

  learnOfPart(found: StoredOutcome | null): void {
    if (found !== null) this.isKeyTaken = true;
    this.#keysToLearn--;
  }

  /** Rows that it needs in a batch. */
  get partCount(): number {
    return 1 + this.also.length;
  }

  /**
   * All that it builds on is known: its keys' outcomes, and the state of every account that it is for. One that was
   * answered meanwhile builds on nothing: it is only to be passed over.
   */
  get canBeDecided(): boolean {
    if (this.answered) return true;
    if (this.#keysToLearn > 0 || this.actor.committed === null) return false;
    for (const { actor } of this.also) if (actor.committed === null) return false;
    return true;
  }

  /** The first call answers; later ones do nothing: a client gone at its deadline is not told twice. */
  answer(outcome: Outcome): void {
    if (this.answered) return;
    this.answered = true;
    this.#answer(outcome);
  }
}

const nobody: readonly Actor[] = [];

export type Reader = (state: AccountState | null) => void;

export class Actor implements Linked<Actor>, Chained<Actor> {
  readonly accountId: AccountId;
  /** null: cold. */
  committed: AccountState | null = null;
  ahead: AccountState | null = null;
  /** The newest link of the account's hash chain, as of `committed` and of `ahead`. */
  committedHash: string | null = null;
  aheadHash: string | null = null;
  /** Its load is queued or under way: it is loaded once. */
  loading = false;
  /** It stands in the lane's queue of actors that can go on. */
  queued = false;
  nextInLine: Actor | null = null;
  /** Its place in one of two orders of use, and in which of them (directory.ts). */
  isListed = false;
  isKept = false;
  previous: Actor | null = null;
  next: Actor | null = null;
  readers: Reader[] | null = null;
  #dependents: Actor[] | null = null;
  readonly #mailbox = new Line<Pending>();
  /** Mostly there is one key on the way, or none: the table is for more. */
  #keyOnTheWay: KeyAsker | null = null;
  #keysOnTheWay: KeyTable<KeyAsker> | null = null;

  constructor(accountId: AccountId) {
    this.accountId = accountId;
  }

  /** Nothing waits for it and nothing of it is uncommitted: it can be evicted. */
  get idle(): boolean {
    const hasKeys = this.#keyOnTheWay !== null || this.#keysOnTheWay !== null;
    const isWaitedFor = hasKeys || this.readers !== null || this.#dependents !== null;
    return !isWaitedFor && !this.queued && !this.loading;
  }

  get mailboxLength(): number {
    return this.#mailbox.length;
  }

  load(state: AccountState, hash: string | null): void {
    this.committed = state;
    this.ahead = state;
    this.committedHash = hash;
    this.aheadHash = hash;
    this.loading = false;
    const readers = this.readers;
    this.readers = null;
    if (readers) for (const reader of readers) reader(state);
  }

  /** Forgets its state: the next command loads it again. Only while nothing of it is uncommitted. */
  discard(): void {
    this.committed = null;
    this.ahead = null;
    this.committedHash = null;
    this.aheadHash = null;
  }

  /** Decisions that are not committed never happened. */
  fallBack(): void {
    this.ahead = this.committed;
    this.aheadHash = this.committedHash;
  }

  /** Whose requests have a part for this one: one entry per part on its way. They go on when this one is loaded. */
  get dependents(): readonly Actor[] {
    return this.#dependents ?? nobody;
  }

  /** A request of `other` has a part for this one. */
  depend(other: Actor): void {
    this.#dependents ??= [];
    this.#dependents.push(other);
  }

  /** Such a request is settled. */
  undepend(other: Actor): void {
    const dependents = this.#dependents;
    const index = dependents === null ? -1 : dependents.indexOf(other);
    if (dependents === null || index < 0) return;
    if (dependents.length === 1) this.#dependents = null;
    else dependents.splice(index, 1);
  }

  failReaders(): void {
    const readers = this.readers;
    this.readers = null;
    if (readers) for (const reader of readers) reader(null);
  }

  onTheWay(key: IdempotencyKey): Pending | null {
    const only = this.#keyOnTheWay;
    if (only !== null && only.facts.idempotencyKey === key) return only.pending;
    return this.#keysOnTheWay?.find(key)?.pending ?? null;
  }

  enqueue(pending: Pending): void {
    this.#mailbox.push(pending);
    this.register(pending);
  }

  /** Its key is on the way with its request: whoever brings it again waits for the same outcome. */
  register(asker: KeyAsker): void {
    if (this.#keyOnTheWay === null) {
      this.#keyOnTheWay = asker;
      return;
    }
    this.#keysOnTheWay ??= new KeyTable();
    this.#keysOnTheWay.add(asker);
  }

  /** Puts commands of a failed batch back in front, in their order. */
  putBack(pendings: readonly Pending[]): void {
    this.#mailbox.putBack(pendings);
  }

  peek(): Pending | null {
    return this.#mailbox.first;
  }

  shift(): void {
    this.#mailbox.shift();
  }

  /** Empties the mailbox. */
  takeAll(): Pending[] {
    return this.#mailbox.takeAll();
  }

  /** The request is settled: the key is no longer on the way. False: it was not, because it follows another one. */
  release(asker: KeyAsker): boolean {
    if (this.#keyOnTheWay === asker) {
      this.#keyOnTheWay = null;
      return true;
    }
    const keys = this.#keysOnTheWay;
    if (keys === null || !keys.delete(asker)) return false;
    if (keys.size === 0) this.#keysOnTheWay = null;
    return true;
  }
}
