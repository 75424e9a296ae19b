/**
 * Account id → actor. At most one actor per account, and a bounded number in all: the least recently used idle one
 * makes room. An evicted actor holds nothing that the store does not.
 */
import type { AccountId } from '@local-plus/contracts';
import { Actor } from './actor.ts';

/** How many old actors are looked at for an idle one before the directory says that it is full. */
const EVICTION_LOOKS_MAX = 64;

export class Directory {
  readonly #actors = new Map<AccountId, Actor>();
  readonly #actorsMax: number;
  evictedTotal = 0;

  constructor(actorsMax: number) {
    this.#actorsMax = actorsMax;
  }

  get size(): number {
    return this.#actors.size;
  }

  find(accountId: AccountId): Actor | undefined {
    return this.#actors.get(accountId);
  }

  /** The actor of the account, made when there is none; null when the directory is full of busy ones. */
  summon(accountId: AccountId): Actor | null {
    const live = this.#actors.get(accountId);
    if (live) {
      // Re-insertion keeps the map in the order of use; below three quarters nobody will be evicted soon.
      if (this.#actors.size * 4 > this.#actorsMax * 3) {
        this.#actors.delete(accountId);
        this.#actors.set(accountId, live);
      }
      return live;
    }
    if (this.#actors.size >= this.#actorsMax && !this.#evictOne()) return null;
    const actor = new Actor(accountId);
    this.#actors.set(accountId, actor);
    return actor;
  }

  /** Forgets the actor if it is idle. False: it is busy, and stays. */
  evict(actor: Actor): boolean {
    if (!actor.idle) return false;
    if (this.#actors.delete(actor.accountId)) this.evictedTotal++;
    return true;
  }

  *all(): Iterable<Actor> {
    yield* this.#actors.values();
  }

  clear(): void {
    this.#actors.clear();
  }

  #evictOne(): boolean {
    let looks = 0;
    for (const [accountId, actor] of this.#actors) {
      if (actor.idle) {
        this.#actors.delete(accountId);
        this.evictedTotal++;
        return true;
      }
      if (++looks >= EVICTION_LOOKS_MAX) return false;
    }
    return false;
  }
}
