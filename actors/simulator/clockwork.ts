/**
 * Virtual time: what is to happen, in the order of time, and of arrangement where times are equal. No real clock, no real
 * timer: a second of a history lasts as long as its events take.
 *
 * The runtime goes on in microtasks. Whatever settles a promise *stirs* the clockwork, which then yields as many turns as
 * the longest chain of continuations behind it has links; a test holds that against a drain that waits for the event
 * loop. Were it too few, a history would still be possible and repeatable: a process that is slow by an event.
 */

export interface Happening {
  readonly atMs: number;
  readonly order: number;
  /** null: called off. */
  run: (() => void) | null;
}

/** How deep the continuations are: of a statement's execution, and of whatever reaches a process. */
export const turns = { execution: 2, process: 5 } as const;

/** Another way of waiting until everything has gone on, for the test of {@link turns}. */
export type Drain = () => Promise<void>;

export class Clockwork {
  /** Virtual milliseconds since the history began, an integer. */
  nowMs = 0;
  happenings = 0;
  readonly #drain: Drain | null;
  readonly #heap: Happening[] = [];
  #arranged = 0;
  #stirred = 0;

  constructor(drain: Drain | null) {
    this.#drain = drain;
  }

  after(delayMs: number, run: () => void): Happening {
    const happening = { atMs: this.nowMs + Math.max(0, Math.round(delayMs)), order: this.#arranged++, run };
    this.#push(happening);
    return happening;
  }

  /** What happens now settles promises: their continuations run before anything else happens. */
  stir(count: number): void {
    if (count > this.#stirred) this.#stirred = count;
  }

  /** Lets things happen until `isOver` says so, nothing is left to happen, or it is `untilMs`. */
  async run(untilMs: number, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const first = this.#heap[0];
      if (first === undefined || first.atMs > untilMs) return;
      this.#pop();
      if (first.run === null) continue;
      this.nowMs = first.atMs;
      this.happenings++;
      first.run();
      if (this.#stirred === 0) continue;
      const count = this.#stirred;
      this.#stirred = 0;
      if (this.#drain !== null) await this.#drain();
      else for (let turn = 0; turn < count; turn++) await null;
    }
  }

  #push(happening: Happening): void {
    const heap = this.#heap;
    let place = heap.length;
    heap.push(happening);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isBefore(happening, heap[parent] as Happening)) break;
      heap[place] = heap[parent] as Happening;
      place = parent;
    }
    heap[place] = happening;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Happening;
    if (heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Happening, heap[child] as Happening)) child++;
      if (!isBefore(heap[child] as Happening, last)) break;
      heap[place] = heap[child] as Happening;
      place = child;
    }
    heap[place] = last;
  }
}

function isBefore(one: Happening, other: Happening): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
