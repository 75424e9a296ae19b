/**
 * What the isolate knows of something by asking core one question about it, and for how long: as it knows keys
 * (key-cache.ts). Nobody's tokens are taken for it: whoever asks was counted, or will be.
 */
import { askCore } from './core-questions.ts';
import { withDeadline } from './deadline.ts';
import type { Exchange } from './exchange.ts';
import { KeyCache, type Verdict } from './key-cache.ts';
import { edgeLimits } from './limits.ts';
import type { Origin } from './origin.ts';
import type { Ports } from './ports.ts';

export interface FactQuestion<Fact> {
  /** The path and query at core that tell of it. */
  readonly targetOf: (name: string) => string;
  /** Throws when the answer has not its shape. */
  readonly read: (name: string, json: unknown) => Fact;
}

const { factBudgetMs } = edgeLimits;

export class CoreFacts<Fact extends object> {
  readonly #ports: Ports;
  readonly #origin: Origin;
  readonly #question: FactQuestion<Fact>;
  readonly #known = new KeyCache<Fact>(factBudgetMs);

  constructor(ports: Ports, origin: Origin, question: FactQuestion<Fact>) {
    this.#ports = ports;
    this.#origin = origin;
    this.#question = question;
  }

  /** null: core knows nothing of it. `away`: nobody can tell. */
  async find(exchange: Exchange, name: string): Promise<Fact | null | 'away'> {
    const steadyMs = this.#ports.steadyMs();
    const known = this.#known.known(name, steadyMs);
    if (known === 'refused') return null;
    if (known !== null) {
      if (!known.isFresh && !this.#known.isUnderWay(name, steadyMs)) {
        const started = this.#start(exchange, name, steadyMs);
        if (started !== null) exchange.info.waitUntil(started);
      }
      return known.grant;
    }
    const verdict = await this.#lookUp(exchange, name, steadyMs);
    if (verdict.kind === 'granted') return verdict.grant;
    return verdict.kind === 'refused' ? null : 'away';
  }

  async #lookUp(exchange: Exchange, name: string, steadyMs: number): Promise<Verdict<Fact>> {
    // Nothing is awaited between finding none under way and starting one.
    const joined = this.#known.join(name, steadyMs);
    if (joined !== null) return joined;
    const started = this.#start(exchange, name, steadyMs);
    if (started === null) return { kind: 'away' };
    exchange.info.waitUntil(started);
    return withDeadline(factBudgetMs, started, () => ({ kind: 'away' }));
  }

  #start(exchange: Exchange, name: string, steadyMs: number): Promise<Verdict<Fact>> | null {
    const { targetOf, read } = this.#question;
    return this.#known.start(name, steadyMs, () =>
      askCore(this.#origin, this.#ports.report, exchange, targetOf(name), (json) => read(name, json), factBudgetMs),
    );
  }
}
