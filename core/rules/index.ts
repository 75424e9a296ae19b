/**
 * The rules module: versions of earn rules, what a purchase earns by those in force, and quotes. Owner of `rule_versions`,
 * `earn_rules`, `rule_additions`.
 *
 * It says what rules give; what their caps leave of it is decided, and counted, by the account machine, in the same row as
 * the earn. So a cap holds whatever happens at the same time, and a retry is counted once, without a second store of counts.
 */
import type { AccountId, ProgramId, rules as wire } from '@local-plus/contracts';
import type { Handlers } from '../platform/http/index.ts';
import type { Database } from '../platform/postgres/index.ts';
import { RulesDirectory } from './directory.ts';
import type { CompiledRules } from './domain.ts';
import { rulesHandlers } from './handler.ts';
import { type QuotePorts, quote } from './quote.ts';
import { type RatedPurchase, ratePurchase } from './rating.ts';
import { RulesStore } from './store.ts';

export interface RulesOptions extends Pick<QuotePorts, 'programs' | 'wallets' | 'states' | 'tiers'> {
  readonly database: Pick<Database, 'read' | 'write'>;
}

export interface RulesModule {
  readonly handlers: Handlers;
  readonly purchases: {
    /** By the rules in force at `nowMs`; null: there are none. At once when they are in memory. */
    rate(
      wallet: { readonly accountId: AccountId; readonly programId: ProgramId },
      purchase: wire.Purchase,
      nowMs: number,
    ): RatedPurchase | null | Promise<RatedPurchase | null>;
  };
}

export function createRulesModule({ database, programs, wallets, states, tiers }: RulesOptions): RulesModule {
  const store = new RulesStore(database);
  const nowMs = Date.now;
  const directory = new RulesDirectory({ store, monotonicMs: () => performance.now() });
  return {
    handlers: {
      ...rulesHandlers({ store, directory, programs, nowMs }),
      'programs.quote': (request) => quote({ directory, programs, wallets, states, tiers, nowMs }, request),
    },
    purchases: {
      rate({ accountId, programId }, purchase, atMs) {
        const rateBy = (rules: CompiledRules | null): RatedPurchase | null | Promise<RatedPurchase | null> => {
          if (rules === null) return null;
          const tier = rules.asksForTier ? tiers.find(accountId) : null;
          if (tier instanceof Promise) return tier.then((found) => ratePurchase(rules, purchase, found, atMs));
          return ratePurchase(rules, purchase, tier, atMs);
        };
        const rules = directory.find(programId, atMs);
        return rules instanceof Promise ? rules.then(rateBy) : rateBy(rules);
      },
    },
  };
}
