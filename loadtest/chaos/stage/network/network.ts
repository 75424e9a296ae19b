/** The network of a stage: a namespace for each process of core, joined to the one that this process is in by a link that can be cut. */
import { waitUntil } from '@local-plus/deploy';
import { z } from 'zod';
import { limits } from '../../limits.ts';
import {
  type Cut,
  coreCommands,
  coreHost,
  DATA_HOST,
  devicesOf,
  hubCommands,
  isolation,
  linkCommand,
  loss,
  parting,
  peerHost,
  plugCommands,
  type Side,
  type Way,
} from './commands.ts';
import { ask, ip, Namespace } from './namespace.ts';

/** Where the parts of a stage stand. */
export interface Places {
  /** Where proxies listen for core: those before Postgres and Kafka, and the one before each process of core. */
  readonly dataHost: string;
  peerHost(core: number): string;
  core(number: number): { readonly host: string; readonly within: readonly string[] };
}

const LOOPBACK = '127.0.0.1';

/** Everything in one network, where nothing can be lost. */
export const onLoopback: Places = {
  dataHost: LOOPBACK,
  peerHost: () => LOOPBACK,
  core: () => ({ host: LOOPBACK, within: [] }),
};

const POLL_MS = 5;

const linkState = z.tuple([
  z.object({
    operstate: z.string(),
    /** Of one that is a bridge's port. */
    linkinfo: z.object({ info_slave_data: z.object({ state: z.string() }).optional() }).optional(),
  }),
]);

function isUp(told: string): boolean {
  const [{ operstate, linkinfo }] = linkState.parse(JSON.parse(told));
  const port = linkinfo?.info_slave_data?.state ?? 'forwarding';
  return operstate === 'UP' && port === 'forwarding';
}

/** Undoes what was done. */
export type Heal = () => Promise<void>;

export class Network implements Places {
  readonly dataHost = DATA_HOST;
  readonly peerHost = peerHost;
  readonly #namespaces: readonly Namespace[];

  private constructor(namespaces: readonly Namespace[]) {
    this.#namespaces = namespaces;
  }

  /** This process must be in a network namespace of its own ({@link file://./world.ts}): its links and addresses are made there. */
  static async open(cores: number): Promise<Network> {
    const namespaces: Namespace[] = [];
    const network = new Network(namespaces);
    try {
      await ip([], hubCommands(cores));
      for (let core = 1; core <= cores; core++) {
        const namespace = await Namespace.make();
        namespaces.push(namespace);
        await ip([], plugCommands(core, namespace.pid));
        await ip(namespace.within, coreCommands(core, cores));
        await network.#carries(core);
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

  /** Nothing arrives at the process or from it any more. Resolves to what heals it, as the other ones do. */
  isolate(core: number): Promise<Heal> {
    return this.#cut([isolation(core)]);
  }

  /** What goes one way between the process and one side is lost. */
  lose(core: number, side: Side, way: Way): Promise<Heal> {
    return this.#cut([loss(core, side, way, this.#namespaces.length)]);
  }

  /** What one process says to another is lost, and so is what it is told in return; the other way round nothing is. */
  part(from: number, to: number): Promise<Heal> {
    return this.#cut(parting(from, to));
  }

  /** A process that still runs inside keeps its namespace. */
  async close(): Promise<void> {
    await Promise.all(this.#namespaces.map((namespace) => namespace.close()));
  }

  /** When one cannot be done, those before it are undone. */
  async #cut(cuts: readonly Cut[]): Promise<Heal> {
    const done: Cut[] = [];
    const heal = async (): Promise<void> => {
      for (let cut = done.pop(); cut !== undefined; cut = done.pop()) {
        await ip(this.#within(cut.where), cut.heal);
        if (cut.link !== undefined) await this.#carries(cut.link);
      }
    };
    try {
      for (const cut of cuts) {
        await ip(this.#within(cut.where), cut.cut);
        done.push(cut);
      }
    } catch (error) {
      await heal();
      throw error;
    }
    return heal;
  }

  /** The kernel takes a link for up, and lets packets pass it, some time after it was told to. */
  async #carries(core: number): Promise<void> {
    for (const { where, device } of devicesOf(core)) {
      const look = async (): Promise<boolean> => isUp(await ask(this.#within(where), linkCommand(device)));
      const carries = await waitUntil(look, { timeoutMs: limits.networkMs, everyMs: POLL_MS });
      if (!carries) throw new Error(`the link of core ${core} does not come up: ${device}`);
    }
  }

  #within(where: Cut['where']): readonly string[] {
    return where === 'hub' ? [] : this.#namespace(where.core).within;
  }

  #namespace(core: number): Namespace {
    const namespace = this.#namespaces[core - 1];
    if (namespace === undefined) throw new Error(`there is no network for core ${core}`);
    return namespace;
  }
}
