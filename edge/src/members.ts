/**
 * What the isolate knows of members: what the subject of a token may do for a merchant. Asked of core, and known as keys are
 * (core-facts.ts): who was removed, or got another role, is known within seconds.
 *
 * Only tokens that say that their bearer is a member cost this question.
 */
import { internalPaths, members, type merchants } from '@local-plus/contracts';
import { CoreFacts } from './core-facts.ts';
import type { Exchange } from './exchange.ts';
import type { Origin } from './origin.ts';
import type { Ports } from './ports.ts';

type Scopes = readonly merchants.Scope[];

export class Members {
  readonly #facts: CoreFacts<Scopes>;

  constructor(ports: Ports, origin: Origin) {
    this.#facts = new CoreFacts<Scopes>(ports, origin, {
      targetOf: (query) => `${internalPaths.members}?${query}`,
      read: (_query, json) => members.memberGrant.parse(json).scopes,
    });
  }

  /** Empty: the subject is no member, or one that may do nothing now. `away`: nobody can tell. */
  async scopes(exchange: Exchange, merchantId: string, subject: string): Promise<Scopes | 'away'> {
    const query = new URLSearchParams({ merchant_id: merchantId, subject }).toString();
    return (await this.#facts.find(exchange, query)) ?? [];
  }
}
