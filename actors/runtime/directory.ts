/**
 * Account id → actor. At most one actor per account, and a bounded number in all. Those that were used last are recent; of
 * who drops out of these the state is packed away (shelf.ts), and there again when it is asked for. Who does not fit the
 * shelf is kept, until there are too many: then the least recently used idle one makes room. An evicted actor holds nothing
 * that the store does not.
 */
import type { AccountId } from '@local-plus/contracts';
import { Actor } from './actor.ts';
import { Chain } from './chain.ts';
import type { RuntimeLimits } from './limits.ts';
import { Shelf } from './shelf.ts';

/** How many old actors are looked at for an idle one before the directory says that it is full. */
const EVICTION_LOOKS_MAX = 64;
/** How many are looked at when one more is recent: two, so that what was too busy to go goes later. */
const PASSIVATION_LOOKS = 2;

export class Directory {
  readonly #actors = new Map<AccountId, Actor>();
  /** In the order of use, the least recent one first; below three quarters of the bound, of arrival. */
  readonly #recent = new Chain<Actor>();
  /** Who does not fit the shelf, the least recent one first. */
  readonly #kept = new Chain<Actor>();
  readonly #actorsMax: number;
  readonly #actorsRecentMax: number;
  readonly #shelf: Shelf;
  evictedTotal = 0;
  unshelvedTotal = 0;

  constructor(limits: Pick<RuntimeLimits, 'actorsMax' | 'actorsRecentMax' | 'shelfPlaces'>) {
    this.#actorsMax = limits.actorsMax;
    this.#actorsRecentMax = limits.actorsRecentMax;
    this.#shelf = new Shelf(limits.shelfPlaces);
  }

  get size(): number {
    return this.#actors.size;
  }

  get shelved(): number {
    return this.#shelf.size;
  }

  find(accountId: AccountId): Actor | undefined {
    return this.#actors.get(accountId);
  }

  /**
   * The actor of the account, made when there is none; null when the directory is full of busy ones.
   *
   * @param live who was found just before
   */
  summon(accountId: AccountId, live = this.find(accountId)): Actor | null {
    if (live) {
      this.#use(live);
      return live;
    }
    if (this.#actors.size >= this.#actorsMax && !this.#evictOne()) return null;
    const actor = new Actor(accountId);
    this.#actors.set(accountId, actor);
    this.#addRecent(actor);
    const shelved = this.#shelf.take(accountId);
    if (shelved !== null) {
      this.unshelvedTotal++;
      actor.load(shelved.state, shelved.hash);
    }
    return actor;
  }

  /** Forgets the actor, and does not pack its state away, if it is idle. False: it is busy, and stays. */
  evict(actor: Actor): boolean {
    if (!actor.idle) return false;
    if (actor.isListed) this.#forget(actor);
    return true;
  }

  *all(): Iterable<Actor> {
    yield* this.#actors.values();
  }

  /** Whoever has no actor has to be loaded. */
  clearShelf(): void {
    this.#shelf.clear();
  }

  #use(actor: Actor): void {
    if (!actor.isKept && this.#recent.size * 4 <= this.#actorsRecentMax * 3) return;
    this.#orderOf(actor).delete(actor);
    this.#addRecent(actor);
  }

  #addRecent(actor: Actor): void {
    for (let looks = 0; looks < PASSIVATION_LOOKS && this.#recent.size >= this.#actorsRecentMax; looks++) {
      this.#passivateFirst();
    }
    actor.isKept = false;
    this.#recent.add(actor);
  }

  /** Whoever is recent and was not used for longest: busy, it is in use, and the last one. */
  #passivateFirst(): void {
    const actor = this.#recent.first;
    if (actor === null) return;
    if (actor.idle && (actor.committed === null || this.#shelve(actor))) return this.#forget(actor);
    this.#recent.delete(actor);
    actor.isKept = actor.idle;
    this.#orderOf(actor).add(actor);
  }

  #evictOne(): boolean {
    const idle = firstIdle(this.#kept) ?? firstIdle(this.#recent);
    if (idle === null) return false;
    if (!idle.isKept) this.#shelve(idle);
    this.#forget(idle);
    return true;
  }

  /** False: it does not fit. */
  #shelve({ accountId, committed, committedHash }: Actor): boolean {
    return committed !== null && this.#shelf.put(accountId, committed, committedHash);
  }

  #orderOf(actor: Actor): Chain<Actor> {
    return actor.isKept ? this.#kept : this.#recent;
  }

  #forget(actor: Actor): void {
    this.#actors.delete(actor.accountId);
    this.#orderOf(actor).delete(actor);
    this.evictedTotal++;
  }
}

function firstIdle(order: Chain<Actor>): Actor | null {
  let actor = order.first;
  for (let looks = 0; actor !== null && looks < EVICTION_LOOKS_MAX; looks++) {
    if (actor.idle) return actor;
    actor = actor.next;
  }
  return null;
}
