/** The tiers of programs by their version, which never change: read once. */
import type { ProgramId } from '@local-plus/contracts';
import { LoadingCache } from '../platform/cache/index.ts';
import type { Scheme } from './domain.ts';
import { tierLimits } from './limits.ts';
import type { TierStore } from './store.ts';

export class Schemes {
  readonly #schemes: LoadingCache<string, Scheme>;

  constructor(store: Pick<TierStore, 'scheme'>) {
    this.#schemes = new LoadingCache({
      heldMax: tierLimits.schemesHeldMax,
      load: async (key): Promise<Scheme | null> => {
        const [programId = '', version] = key.split(' ');
        const row = await store.scheme(programId as ProgramId, Number(version));
        if (row === null) return null;
        return {
          version: row.version,
          window: { period: row.window_period, count: row.window_count },
          graceDays: row.grace_days,
          tiers: row.tiers,
          beganAtMs: row.began_at.getTime(),
        };
      },
    });
  }

  async find(programId: ProgramId, version: number): Promise<Scheme> {
    const scheme = await this.#schemes.get(`${programId} ${version}`);
    if (scheme === null) throw new Error('a program has the tiers that it is said to have');
    return scheme;
  }
}
