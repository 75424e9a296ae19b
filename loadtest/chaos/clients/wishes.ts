/**
 * What clients want, drawn from the seed: earns, burns, transfers, holds and what becomes of them, reversals, reads. What can
 * only be wanted of something that is there (a hold, an earn) is taken from what was answered before.
 */
import { randomUUID } from 'node:crypto';
import type { Random } from '../../../actors/simulator/random.ts';
import type { Call, Wish } from '../history.ts';
import { limits } from '../limits.ts';

/** In parts of a hundred. What cannot be had falls through to a read. */
const shares: readonly (readonly [Wish['operation'], number])[] = [
  ['earn', 27],
  ['burn', 20],
  ['transfer', 16],
  ['hold', 8],
  ['capture', 5],
  ['release', 3],
  ['reverse', 4],
  ['balance', 17],
];

/** One of so many wallets is wanted by a quarter of all calls. */
const HOT_EVERY = 12;
const HOT_SHARE = 0.25;

interface Known {
  readonly id: string;
  readonly walletId: string;
}

export class Wishes {
  readonly #random: Random;
  readonly #walletIds: readonly string[];
  readonly #hot: readonly string[];
  readonly #holds: Known[] = [];
  readonly #earns: Known[] = [];

  constructor(random: Random, walletIds: readonly string[]) {
    this.#random = random;
    this.#walletIds = walletIds;
    this.#hot = walletIds.filter((_, index) => index % HOT_EVERY === 0);
  }

  next(): Wish {
    const operation = this.#operation();
    const walletId = this.#wallet();
    const key = operation === 'balance' ? '' : randomUUID();
    const wish: Wish = { operation, key, walletId, toWalletId: null, target: null, amount: null };
    switch (operation) {
      case 'balance':
        return wish;
      case 'earn':
      case 'burn':
      case 'hold':
        return { ...wish, amount: this.#amount() };
      case 'transfer':
        return { ...wish, amount: this.#amount(), toWalletId: this.#other(walletId) };
      case 'capture':
        return this.#about(wish, this.#holds, this.#random.chance(0.5) ? this.#random.between(1, 5) : null);
      case 'release':
        return this.#about(wish, this.#holds, null);
      case 'reverse':
        return this.#about(wish, this.#earns, this.#random.chance(0.5) ? 1 : null);
    }
  }

  /** Remembers what can be wanted more of. */
  learn({ operation, outcome, answer, walletId }: Call): void {
    if (outcome !== 'ok' || (operation !== 'hold' && operation !== 'earn')) return;
    const { id } = answer as { id: string };
    const known = operation === 'hold' ? this.#holds : this.#earns;
    if (known.length < limits.rememberedMax) known.push({ id, walletId });
  }

  #about(wish: Wish, known: Known[], amount: number | null): Wish {
    if (known.length === 0) return { ...wish, operation: 'balance', key: '' };
    const at = this.#random.below(known.length);
    // Now and then it stays: then two calls, or two processes, are about the same hold.
    const [one] = this.#random.chance(0.7) ? known.splice(at, 1) : known.slice(at, at + 1);
    return { ...wish, walletId: one?.walletId ?? wish.walletId, target: one?.id ?? null, amount };
  }

  #operation(): Wish['operation'] {
    let draw = this.#random.below(100);
    for (const [operation, share] of shares) {
      if (draw < share) return operation;
      draw -= share;
    }
    return 'balance';
  }

  #wallet(): string {
    return this.#random.pick(this.#random.chance(HOT_SHARE) ? this.#hot : this.#walletIds);
  }

  #other(walletId: string): string {
    for (;;) {
      const other = this.#wallet();
      if (other !== walletId) return other;
    }
  }

  #amount(): number {
    return this.#random.between(1, limits.amountMax);
  }
}
