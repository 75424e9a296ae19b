/**
 * What the isolate knows of core's generations (contracts/generations.ts). This is how a change purges: core is asked
 * while there is traffic, at most once in `everyMs`, and whatever is of another generation is out of date.
 *
 * G1  Nobody waits for a question but who has a page that was not confirmed for `confirmedMs`; and nobody at all while
 *     the last question failed less than `everyMs` ago.
 * G2  A question counts from when it was asked: what core did after that, it may not say.
 */
import { type Generations, generations, internalPaths } from '@local-plus/contracts';
import type { Exchange } from '../exchange.ts';
import { ownCall } from '../forward.ts';
import { edgeLimits } from '../limits.ts';
import type { Origin } from '../origin.ts';
import type { Ports } from '../ports.ts';
import { Flights } from './flights.ts';
import type { Said } from './page.ts';

const { generationEveryMs: everyMs, generationBudgetMs: budgetMs } = edgeLimits;
const QUESTION = 'generations';

export class GenerationWatch {
  readonly #ports: Ports;
  readonly #origin: Origin;
  readonly #flights = new Flights<true>({
    flightMs: budgetMs * 2,
    flightsMax: 1,
    followersMax: edgeLimits.cacheFollowersMax,
  });
  #said: { readonly generations: Generations; readonly askedAtMs: number } | null = null;
  #triedAtMs = Number.NEGATIVE_INFINITY;

  constructor(ports: Ports, origin: Origin) {
    this.#ports = ports;
    this.#origin = origin;
  }

  said(kind: keyof Generations): Said | null {
    return this.#said && { generation: this.#said.generations[kind], askedAtMs: this.#said.askedAtMs };
  }

  /** Asks behind the answer when it is time to. */
  watch(exchange: Exchange): void {
    const steadyMs = this.#ports.steadyMs();
    if (steadyMs - this.#triedAtMs < everyMs || this.#flights.isUnderWay(QUESTION, steadyMs)) return;
    exchange.info.waitUntil(this.#ask(exchange));
  }

  /** Waits for an answer that is being asked for, or asks. What is known afterwards, `said` tells. */
  async confirm(exchange: Exchange): Promise<void> {
    const steadyMs = this.#ports.steadyMs();
    if (steadyMs - this.#triedAtMs < everyMs && !this.#flights.isUnderWay(QUESTION, steadyMs)) return;
    const asking = this.#ask(exchange);
    exchange.info.waitUntil(asking);
    await asking;
  }

  async #ask(exchange: Exchange): Promise<void> {
    const steadyMs = this.#ports.steadyMs();
    const boarding = this.#flights.board(QUESTION, steadyMs);
    if (boarding.role === 'follower') await boarding.wait(budgetMs);
    if (boarding.role !== 'leader') return;
    this.#triedAtMs = steadyMs;
    try {
      const said = await this.#fetch(exchange);
      if (said !== null) this.#said = { generations: said, askedAtMs: steadyMs };
    } finally {
      boarding.land(true);
    }
  }

  async #fetch(exchange: Exchange): Promise<Generations | null> {
    const outcome = await this.#origin.send(ownCall(exchange, internalPaths.generations, budgetMs));
    if (!outcome.ok) return null;
    const { response } = outcome;
    if (response.status !== 200) {
      await response.body?.cancel();
      // An older core knows none: its pages say no generation either.
      if (response.status !== 404) this.#ports.report('origin_unusable', new Error(`generations: ${response.status}`));
      return null;
    }
    try {
      return generations.parse(await response.json());
    } catch (cause) {
      this.#ports.report('origin_unusable', cause);
      return null;
    }
  }
}
