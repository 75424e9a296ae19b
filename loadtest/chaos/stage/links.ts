/** The links of the stage, each with its proxy: between any two parts, by names that stay the same. */
import { limits } from '../limits.ts';
import { LinkProxy, type ProxyPlace } from './proxy.ts';

export type LinkName = 'edge-core' | 'core-kafka' | `core-${number}-postgres` | `core-${number}-core`;

const numbers = Array.from({ length: limits.cores }, (_, index) => index + 1);

/** In a fixed order: schedules draw from it. `core-N-core`: what others say to core N. */
export const linkNames: readonly LinkName[] = [
  'edge-core',
  'core-kafka',
  ...numbers.map((number): LinkName => `core-${number}-postgres`),
  ...numbers.map((number): LinkName => `core-${number}-core`),
];

export class Links {
  readonly #proxies = new Map<LinkName, LinkProxy>();

  async open(name: LinkName, targetPort: number, place?: ProxyPlace): Promise<LinkProxy> {
    const proxy = new LinkProxy(targetPort, place);
    await proxy.listen();
    this.#proxies.set(name, proxy);
    return proxy;
  }

  get(name: LinkName): LinkProxy {
    const proxy = this.#proxies.get(name);
    if (proxy === undefined) throw new Error(`there is no link ${name}`);
    return proxy;
  }

  all(): LinkProxy[] {
    return [...this.#proxies.values()];
  }

  async close(): Promise<void> {
    await Promise.all(this.all().map((proxy) => proxy.close()));
  }
}
