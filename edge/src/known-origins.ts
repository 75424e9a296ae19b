/**
 * Which browsers' origins some merchant allows: asked of core, and known as keys are (key-cache.ts). For preflights, which
 * carry no key, and for answers to callers who are nobody's.
 *
 * O1  A look-up is made on the account of the client's address, as a key's is: an origin that nobody allows costs its
 *     sender `unknownKey` requests, one that somebody allows costs nothing. So made-up origins reach core at most as often as
 *     made-up keys do.
 */
import { internalPaths, limits } from '@local-plus/contracts';
import { addressKey } from './client-address.ts';
import { askCore } from './core-questions.ts';
import { withDeadline } from './deadline.ts';
import type { Exchange } from './exchange.ts';
import { flightMs, KeyCache, type Verdict } from './key-cache.ts';
import { surcharge } from './limiting/weights.ts';
import type { Origin } from './origin.ts';
import type { Ports } from './ports.ts';

/** There is nothing more to know of one. */
const allowed = {};

export class KnownOrigins {
  readonly #ports: Ports;
  readonly #core: Origin;
  readonly #known = new KeyCache<typeof allowed>();

  constructor(ports: Ports, core: Origin) {
    this.#ports = ports;
    this.#core = core;
  }

  /** Without asking anybody. */
  isKnown(name: string): boolean {
    const known = this.#known.known(name, this.#ports.steadyMs());
    return known !== null && known !== 'refused';
  }

  async find(exchange: Exchange, name: string): Promise<Verdict<object>> {
    const steadyMs = this.#ports.steadyMs();
    const known = this.#known.known(name, steadyMs);
    if (known === 'refused') return { kind: 'refused' };
    if (known !== null && (known.isFresh || this.#known.isUnderWay(name, steadyMs)))
      return { kind: 'granted', grant: allowed };
    const joined = known === null ? this.#known.join(name, steadyMs) : null;
    if (joined !== null) {
      const verdict = await joined;
      // Another address ran out of tokens, not this one: ask on this one's account.
      const isAnothers = verdict.kind === 'limited' && verdict.addressKey !== addressKey(exchange.clientIp);
      if (!isAnothers) return verdict;
    }
    const started = this.#known.start(name, this.#ports.steadyMs(), () => this.#lookUpCounted(exchange, name));
    if (started === null) return known === null ? { kind: 'away' } : { kind: 'granted', grant: allowed };
    exchange.info.waitUntil(started);
    return known === null
      ? withDeadline(flightMs, started, () => ({ kind: 'away' }))
      : { kind: 'granted', grant: allowed };
  }

  async #lookUpCounted(exchange: Exchange, name: string): Promise<Verdict<typeof allowed>> {
    const { addresses, report, steadyMs } = this.#ports;
    const key = addressKey(exchange.clientIp);
    const limit = limits.ipRequestsPerMinute;
    const take = await addresses.take(key, limit, steadyMs());
    if (!take.allowed) return { kind: 'limited', addressKey: key, take };
    const target = `${internalPaths.origins}?${new URLSearchParams({ origin: name })}`;
    const verdict = await askCore(this.#core, report, exchange, target, () => allowed);
    if (verdict.kind === 'refused') await addresses.take(key, limit, steadyMs(), surcharge('unknownKey'));
    else exchange.info.waitUntil(Promise.resolve(addresses.giveBack(key, take)));
    return verdict;
  }
}
