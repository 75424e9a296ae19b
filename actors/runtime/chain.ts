/**
 * Every request under way, in the order of arrival: a list through the requests themselves.
 *
 * Not a `Set`: V8 replaces a set's table every few additions and removals, and a replaced table points to its successor
 * and to whatever was in it. Once one of them is old, each later one counts as reachable until the next full collection,
 * and requests that were answered long ago grow old with it. Here whatever is taken out points to nobody.
 */
import type { Pending } from './actor.ts';

export class PendingList {
  #first: Pending | null = null;
  #last: Pending | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Only once, and in one list only. */
  add(pending: Pending): void {
    pending.isListed = true;
    pending.previous = this.#last;
    if (this.#last === null) this.#first = pending;
    else this.#last.next = pending;
    this.#last = pending;
    this.#size++;
  }

  /** Does nothing when it is not there any more. */
  delete(pending: Pending): void {
    if (!pending.isListed) return;
    const { previous, next } = pending;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    pending.isListed = false;
    pending.previous = null;
    pending.next = null;
    this.#size--;
  }

  /** Those that satisfy the condition now; the list may change while they are gone through. */
  filter(condition: (pending: Pending) => boolean): Pending[] {
    const found: Pending[] = [];
    for (let pending = this.#first; pending !== null; pending = pending.next)
      if (condition(pending)) found.push(pending);
    return found;
  }
}
