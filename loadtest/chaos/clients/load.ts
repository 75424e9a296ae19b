/** The clients of a run together: calls by the clock, a bounded number under way, some of them sent again later. */
import type { Random } from '../../../actors/simulator/random.ts';
import type { Call, Wish } from '../history.ts';
import { limits } from '../limits.ts';
import type { Caller } from './caller.ts';
import { Wishes } from './wishes.ts';

export interface LoadOptions {
  readonly caller: Caller;
  readonly random: Random;
  readonly walletIds: readonly string[];
  readonly ratePerS: number;
  readonly attemptsMax: number;
  /** Told of every write that was answered. */
  readonly onAnswer?: (call: Call) => void;
}

const REPEAT_MS_MAX = 15_000;

export class Load {
  readonly #options: LoadOptions;
  readonly #wishes: Wishes;
  readonly #startedMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #underway = new Set<Promise<void>>();
  readonly #repeats: { readonly dueMs: number; readonly wish: Wish }[] = [];
  #sent = 0;
  /** Not sent, because too many were under way. */
  skipped = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#wishes = new Wishes(options.random, options.walletIds);
    this.#timer = setInterval(() => this.#launch(), limits.tickMs);
  }

  /** Sends nothing new; resolves when every call under way has its end. */
  async finish(): Promise<void> {
    clearInterval(this.#timer);
    while (this.#underway.size > 0) await Promise.all(this.#underway);
  }

  #launch(): void {
    const nowMs = performance.now();
    const due = Math.floor(((nowMs - this.#startedMs) / 1_000) * this.#options.ratePerS);
    for (; this.#sent < due; this.#sent++) {
      if (this.#underway.size >= limits.inFlightMax) {
        this.skipped++;
        continue;
      }
      const repeat = this.#repeats.findIndex(({ dueMs }) => dueMs <= nowMs);
      const [again] = repeat < 0 ? [] : this.#repeats.splice(repeat, 1);
      this.#begin(again?.wish ?? this.#wishes.next(), again === undefined ? 'load' : 'repeat');
    }
  }

  #begin(wish: Wish, purpose: 'load' | 'repeat'): void {
    const { caller, attemptsMax, random } = this.#options;
    const work = caller.call(wish, purpose, attemptsMax).then((call) => {
      this.#underway.delete(work);
      this.#wishes.learn(call);
      if (wish.operation === 'balance') return;
      if (call.outcome !== 'unknown') this.#options.onAnswer?.(call);
      if (purpose === 'repeat' || call.outcome === 'unknown' || !random.chance(limits.repeatedShare)) return;
      if (this.#repeats.length >= limits.rememberedMax) return;
      this.#repeats.push({ dueMs: performance.now() + random.below(REPEAT_MS_MAX), wish });
    });
    this.#underway.add(work);
  }
}

/** Runs `work` for each, a bounded number at a time. */
export async function inTurns<Item>(
  items: readonly Item[],
  atATime: number,
  work: (item: Item) => Promise<unknown>,
): Promise<void> {
  const waiting = [...items];
  const lane = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: atATime }, lane));
}
