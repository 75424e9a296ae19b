/**
 * What the isolate knows of members: what the subject of a token may do for a merchant. Asked of core, and known as keys are
 * (key-cache.ts): who was removed, or got another role, is known within seconds.
 *
 * Only tokens that say that their bearer is a member cost this question.
 */
import { internalPaths, members, type merchants } from '@local-plus/contracts';
import { askCore } from './core-questions.ts';
import { withDeadline } from './deadline.ts';
import type { Exchange } from './exchange.ts';
import { flightMs, KeyCache, type Verdict } from './key-cache.ts';
import { edgeLimits } from './limits.ts';
import type { Origin } from './origin.ts';
import type { Ports } from './ports.ts';

type Scopes = readonly merchants.Scope[];

export class Members {
  readonly #ports: Ports;
  readonly #origin: Origin;
  readonly #known = new KeyCache<Scopes & object>();

  constructor(ports: Ports, origin: Origin) {
    this.#ports = ports;
    this.#origin = origin;
  }

  /** Empty: the subject is no member, or one that may do nothing now. `away`: nobody can tell. */
  async scopes(exchange: Exchange, merchantId: string, subject: string): Promise<Scopes | 'away'> {
    const query = new URLSearchParams({ merchant_id: merchantId, subject }).toString();
    const nowMs = this.#ports.nowMs();
    const known = this.#known.known(query, nowMs);
    if (known === 'refused') return [];
    if (known !== null) {
      if (!known.isFresh && !this.#known.isUnderWay(query, nowMs)) {
        const started = this.#start(exchange, query, nowMs);
        if (started !== null) exchange.info.waitUntil(started);
      }
      return known.grant;
    }
    const verdict = await this.#lookUp(exchange, query, nowMs);
    if (verdict.kind === 'granted') return verdict.grant;
    return verdict.kind === 'refused' ? [] : 'away';
  }

  async #lookUp(exchange: Exchange, query: string, nowMs: number): Promise<Verdict<Scopes>> {
    // Nothing is awaited between finding none under way and starting one.
    const joined = this.#known.join(query, nowMs);
    if (joined !== null) return joined;
    const started = this.#start(exchange, query, nowMs);
    if (started === null) return { kind: 'away' };
    exchange.info.waitUntil(started);
    return withDeadline(flightMs, started, () => ({ kind: 'away' }));
  }

  #start(exchange: Exchange, query: string, nowMs: number): Promise<Verdict<Scopes>> | null {
    return this.#known.start(query, nowMs, () =>
      askCore(
        this.#origin,
        this.#ports.report,
        exchange,
        `${internalPaths.members}?${query}`,
        (json) => members.memberGrant.parse(json).scopes,
        edgeLimits.tenantBudgetMs,
      ),
    );
  }
}
