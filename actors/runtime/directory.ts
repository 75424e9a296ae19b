/**
 * Account id → actor. At most one actor per account, and a bounded number in all: the least recently used idle one
 * makes room. An evicted actor holds nothing that the store does not; what it holds is packed away (shelf.ts), and there
 * again when it is asked for.
 */
import type { AccountId } from '@local-plus/contracts';
import { Actor } from './actor.ts';
import { Chain } from './chain.ts';
import type { RuntimeLimits } from './limits.ts';
import { Shelf } from './shelf.ts';

/** How many old actors are looked at for an idle one before the directory says that it is full. */
const EVICTION_LOOKS_MAX = 64;

export class Directory {
  readonly #actors = new Map<AccountId, Actor>();
  /** In the order of use, the least recent one first; below three quarters of the bound, of arrival. */
  readonly #order = new Chain<Actor>();
  readonly #actorsMax: number;
  readonly #shelf: Shelf;
  evictedTotal = 0;
  unshelvedTotal = 0;

  constructor({ actorsMax, shelfPlaces }: Pick<RuntimeLimits, 'actorsMax' | 'shelfPlaces'>) {
    this.#actorsMax = actorsMax;
    this.#shelf = new Shelf(shelfPlaces);
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

  /** The actor of the account, made when there is none; null when the directory is full of busy ones. */
  summon(accountId: AccountId): Actor | null {
    const live = this.#actors.get(accountId);
    if (live) {
      if (this.#actors.size * 4 > this.#actorsMax * 3) {
        this.#order.delete(live);
        this.#order.add(live);
      }
      return live;
    }
    if (this.#actors.size >= this.#actorsMax && !this.#evictOne()) return null;
    const actor = new Actor(accountId);
    this.#actors.set(accountId, actor);
    this.#order.add(actor);
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

  #evictOne(): boolean {
    let actor = this.#order.first;
    for (let looks = 0; actor !== null && looks < EVICTION_LOOKS_MAX; looks++) {
      if (actor.idle) {
        this.#forget(actor);
        if (actor.committed !== null) this.#shelf.put(actor.accountId, actor.committed, actor.committedHash);
        return true;
      }
      actor = actor.next;
    }
    return false;
  }

  #forget(actor: Actor): void {
    this.#actors.delete(actor.accountId);
    this.#order.delete(actor);
    this.evictedTotal++;
  }
}
