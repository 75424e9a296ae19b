/**
 * Virtual time: what is to happen, in the order of time, and of arrangement where times are equal. No real clock, no real
 * timer: a second of a history lasts as long as its events take.
 *
 * What happens within the next two seconds stands on a wheel with a place for each millisecond: arranging costs the same
 * however much there is, and there is a lot.
 *
 * The runtime goes on in microtasks. Whatever settles a promise *stirs* the clockwork, which then yields as many turns as
 * the longest chain of continuations behind it has links; a test holds that against a drain that waits for the event
 * loop. Were it too few, a history would still be possible and repeatable: a process that is slow by an event.
 */

export interface Happening {
  readonly atMs: number;
  /** null: called off. */
  run: (() => void) | null;
  /** The one after it, of the same millisecond. */
  next: Happening | null;
}

/** How much time a revolution of the wheel is: most of what is arranged happens within it. */
const REVOLUTION_MS = 2_048;

/** Its first continuation runs in a turn; so what awaits it after two more yields three turns. */
const now = Promise.resolve();
const nothing = (): void => undefined;

/** Another way of waiting until everything has gone on, for the test that three turns are enough. */
export type Drain = () => Promise<void>;

export class Clockwork {
  /** Virtual milliseconds since the history began, an integer. */
  nowMs = 0;
  happenings = 0;
  readonly #drain: Drain | null;
  /** The wheel: for each millisecond of its revolution, what is to happen then, in the order of arrangement. */
  readonly #first = new Array<Happening | null>(REVOLUTION_MS).fill(null);
  readonly #last = new Array<Happening | null>(REVOLUTION_MS).fill(null);
  /** When its revolution began. */
  #beginMs = 0;
  /** Nothing on it is to happen before. */
  #cursorMs = 0;
  #onWheel = 0;
  /** What is to happen in a later revolution, in the order of arrangement. */
  #later: Happening[] = [];
  #isStirred = false;

  constructor(drain: Drain | null) {
    this.#drain = drain;
  }

  after(delayMs: number, run: () => void): Happening {
    const happening = { atMs: this.nowMs + Math.max(0, Math.round(delayMs)), run, next: null };
    if (happening.atMs < this.#beginMs + REVOLUTION_MS) this.#put(happening);
    else this.#later.push(happening);
    return happening;
  }

  /** What happens now settles promises: their continuations run before anything else happens. */
  stir(): void {
    this.#isStirred = true;
  }

  /** Lets things happen until `isOver` says so, nothing is left to happen, or it is `untilMs`. */
  async run(untilMs: number, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const happening = this.#take(untilMs);
      if (happening === null) return;
      if (happening.run === null) continue;
      this.nowMs = happening.atMs;
      this.happenings++;
      happening.run();
      if (!this.#isStirred) continue;
      this.#isStirred = false;
      if (this.#drain !== null) await this.#drain();
      else await now.then(nothing).then(nothing);
    }
  }

  #put(happening: Happening): void {
    const place = happening.atMs - this.#beginMs;
    const last = this.#last[place] as Happening | null;
    if (last === null) this.#first[place] = happening;
    else last.next = happening;
    this.#last[place] = happening;
    this.#onWheel++;
    if (happening.atMs < this.#cursorMs) this.#cursorMs = happening.atMs;
  }

  /** The next one, taken off the wheel; null: there is none until then. */
  #take(untilMs: number): Happening | null {
    if (this.#onWheel === 0 && !this.#revolve(untilMs)) return null;
    let place = this.#cursorMs - this.#beginMs;
    let first = this.#first[place] as Happening | null;
    while (first === null) first = this.#first[++place] as Happening | null;
    this.#cursorMs = first.atMs;
    if (first.atMs > untilMs) return null;
    this.#first[place] = first.next;
    if (first.next === null) this.#last[place] = null;
    this.#onWheel--;
    return first;
  }

  /** To the revolution that begins with the first of what comes later; false: there is nothing until then. */
  #revolve(untilMs: number): boolean {
    const later = this.#later.filter(({ run }) => run !== null);
    this.#later = [];
    let firstMs = Number.POSITIVE_INFINITY;
    for (const { atMs } of later) firstMs = Math.min(firstMs, atMs);
    if (later.length === 0 || firstMs > untilMs) {
      this.#later = later;
      return false;
    }
    // It is taken next: a revolution begins with the present, so nothing can be arranged before it.
    this.#beginMs = firstMs;
    this.#cursorMs = firstMs;
    for (const happening of later) {
      if (happening.atMs < firstMs + REVOLUTION_MS) this.#put(happening);
      else this.#later.push(happening);
    }
    return true;
  }
}
