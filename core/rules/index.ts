/**
 * The rules module: versions of earn rules, what a purchase earns by those in force, and quotes. Owner of `rule_versions`,
 * `earn_rules`, `rule_additions`.
 *
 * It says what rules give; what their caps leave of it is decided, and counted, by the account machine, in the same row as
 * the earn. So a cap holds whatever happens at the same time, and a retry is counted once, without a second store of counts.
 */
import type { ProgramId, rules as wire } from '@local-plus/contracts';
import type { Handlers } from '../platform/http/index.ts';
import type { Database } from '../platform/postgres/index.ts';
import { RulesDirectory } from './directory.ts';
import { rulesHandlers } from './handler.ts';
import { type QuotePorts, quote } from './quote.ts';
import { type RatedPurchase, ratePurchase } from './rating.ts';
import { RulesStore } from './store.ts';

export interface RulesOptions extends Pick<QuotePorts, 'programs' | 'wallets' | 'states'> {
  readonly database: Pick<Database, 'read' | 'write'>;
}

export interface RulesModule {
  readonly handlers: Handlers;
  readonly purchases: {
    /** By the rules in force at `nowMs`; null: there are none. At once when they are in memory. */
    rate(
      programId: ProgramId,
      purchase: wire.Purchase,
      nowMs: number,
    ): RatedPurchase | null | Promise<RatedPurchase | null>;
  };
}

export function createRulesModule({ database, programs, wallets, states }: RulesOptions): RulesModule {
  const store = new RulesStore(database);
  const nowMs = Date.now;
  const directory = new RulesDirectory({ store, nowMs, monotonicMs: () => performance.now() });
  return {
    handlers: {
      ...rulesHandlers({ store, directory, programs, nowMs }),
      'programs.quote': (request) => quote({ directory, programs, wallets, states, nowMs }, request),
    },
    purchases: {
      rate(programId, purchase, atMs) {
        const rules = directory.find(programId, atMs);
        if (rules instanceof Promise) {
          return rules.then((found) => (found === null ? null : ratePurchase(found, purchase, atMs)));
        }
        return rules === null ? null : ratePurchase(rules, purchase, atMs);
      },
    },
  };
}
