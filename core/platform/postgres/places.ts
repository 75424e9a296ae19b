/** Places for so many at a time. Who finds none waits for its turn, for so long at most. */
export class Places {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** False: there is none. */
  take(): boolean {
    if (this.#free === 0) return false;
    this.#free--;
    return true;
  }

  /** In turn, after {@link take} found none. False: none became free within `timeMs`. */
  wait(timeMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (isGiven: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(given);
        resolve(isGiven);
      };
      const given = (): void => end(true);
      const timer = setTimeout(() => end(false), timeMs);
      this.#waiting.add(given);
    });
  }

  /** Whoever waits longest has it now. */
  give(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#free++;
    else next();
  }
}
