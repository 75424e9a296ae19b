/** The network of a stage: a namespace for each process of core, joined to the one that this process is in by a link that can be cut. */
import {
  type Cut,
  coreCommands,
  coreHost,
  hubCommands,
  isolation,
  loss,
  plugCommands,
  type Side,
  sideHosts,
  type Way,
} from './commands.ts';
import { ip, Namespace } from './namespace.ts';

/** Where the parts of a stage stand. */
export interface Places {
  /** Where proxies listen for core: those before Postgres and Kafka, those before other processes of core. */
  readonly dataHost: string;
  readonly peersHost: string;
  core(number: number): { readonly host: string; readonly within: readonly string[] };
}

const LOOPBACK = '127.0.0.1';

/** Everything in one network, where nothing can be lost. */
export const onLoopback: Places = {
  dataHost: LOOPBACK,
  peersHost: LOOPBACK,
  core: () => ({ host: LOOPBACK, within: [] }),
};

export class Network implements Places {
  readonly dataHost = sideHosts.data;
  readonly peersHost = sideHosts.peers;
  readonly #namespaces: readonly Namespace[];

  private constructor(namespaces: readonly Namespace[]) {
    this.#namespaces = namespaces;
  }

  /** This process must be in a network namespace of its own ({@link file://./world.ts}): its links and addresses are made there. */
  static async open(cores: number): Promise<Network> {
    const namespaces: Namespace[] = [];
    const network = new Network(namespaces);
    try {
      await ip([], hubCommands());
      for (let core = 1; core <= cores; core++) {
        const namespace = await Namespace.make();
        namespaces.push(namespace);
        await ip([], plugCommands(core, namespace.pid));
        await ip(namespace.within, coreCommands(core));
      }
    } catch (error) {
      await network.close();
      throw error;
    }
    return network;
  }

  core(number: number): { host: string; within: readonly string[] } {
    return { host: coreHost(number), within: this.#namespace(number).within };
  }

  /** Nothing arrives at the process or from it any more. Resolves to what heals it. */
  isolate(core: number): Promise<() => Promise<void>> {
    return this.#cut(core, isolation(core));
  }

  /** What goes one way between the process and one side is lost. Resolves to what heals it. */
  lose(core: number, side: Side, way: Way): Promise<() => Promise<void>> {
    return this.#cut(core, loss(core, side, way));
  }

  /** A process that still runs inside keeps its namespace. */
  async close(): Promise<void> {
    await Promise.all(this.#namespaces.map((namespace) => namespace.close()));
  }

  async #cut(core: number, { where, cut, heal }: Cut): Promise<() => Promise<void>> {
    const within = where === 'core' ? this.#namespace(core).within : [];
    await ip(within, [cut]);
    return () => ip(within, [heal]);
  }

  #namespace(core: number): Namespace {
    const namespace = this.#namespaces[core - 1];
    if (namespace === undefined) throw new Error(`there is no network for core ${core}`);
    return namespace;
  }
}
