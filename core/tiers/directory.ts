/**
 * Wallet → its tier as it was counted last, for rules: from memory for {@link tierLimits.freshMs}, else by a read that many share.
 *
 * So what rules go by is behind the ledger by that, and by as much as the follower is: half a second where nothing is in the way.
 */
import type { AccountId } from '@local-plus/contracts';
import { LRUCache } from 'lru-cache';
import { Batcher } from '../platform/batching/index.ts';
import { ProblemError } from '../platform/http/index.ts';
import { DatabaseUnavailable } from '../platform/postgres/index.ts';
import { tierLimits } from './limits.ts';
import type { TierStore } from './store.ts';

interface Known {
  readonly tier: string | null;
  /** Of the monotonic clock, before the read. */
  readonly readAtMs: number;
}

export class TierDirectory {
  readonly #known = new LRUCache<AccountId, Known>({ max: tierLimits.walletsHeldMax });
  readonly #reads: Batcher<AccountId, string | null>;
  readonly #monotonicMs: () => number;

  constructor(store: Pick<TierStore, 'tiers'>, monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    this.#reads = new Batcher({
      batchMax: tierLimits.batchMax,
      waitingMax: tierLimits.waitingMax,
      run: (ids) => store.tiers(ids),
      concernsAll: (error) => error instanceof DatabaseUnavailable,
      refusal: () => new ProblemError('overloaded'),
    });
  }

  /** null: none. */
  find(accountId: AccountId): string | null | Promise<string | null> {
    const readAtMs = this.#monotonicMs();
    const known = this.#known.get(accountId);
    if (known !== undefined && readAtMs - known.readAtMs < tierLimits.freshMs) return known.tier;
    return this.#reads.submit(accountId).then((tier) => {
      this.#known.set(accountId, { tier, readAtMs });
      return tier;
    });
  }
}
