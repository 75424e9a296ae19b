/**
 * The network of a stage whose processes of core have one each, as commands for `ip -batch`. Pure.
 *
 *     proxies, balancer, suite: 10.77.0.1, .2, .20 + N on one bridge ── link ── core N: 10.77.0.10 + N
 *
 * It stands in a namespace of its own, which has no way out: addresses and names need to be free only there. Each side that
 * talks with a process has an address of its own, so that what goes between those two alone can be lost; and so has what stands
 * before each process of core for the others, so that two of them can be parted.
 *
 * Whoever shall be lost is sent to a neighbour whose hardware address nobody has: packets leave and arrive nowhere, and no
 * kernel tells a sender. (A `blackhole` route tells local senders at once.) For the same reason every neighbour is known
 * beforehand: one that does not answer would be reported as unreachable after three seconds.
 */

/** Who talks with core: clients and the suite; what stands before Postgres and Kafka; the other processes of core. */
export const sides = ['front', 'data', 'peers'] as const;
export type Side = (typeof sides)[number];

/** Whose packets are lost: those that the process sends, or those that are sent to it. */
export type Way = 'from-core' | 'to-core';

/** `front` is first on the bridge: whoever does not choose speaks from there. */
const FRONT = '10.77.0.1';
export const DATA_HOST = '10.77.0.2';

/** Where the others reach a process of core, and from where it hears them. */
export const peerHost = (core: number): string => `10.77.0.${20 + core}`;

/** The addresses of a side, in a network of so many processes. */
export function hostsOf(side: Side, cores: number): readonly string[] {
  if (side === 'front') return [FRONT];
  return side === 'data' ? [DATA_HOST] : Array.from({ length: cores }, (_, index) => peerHost(index + 1));
}

export const coreHost = (core: number): string => `10.77.0.${10 + core}`;

const NOBODY = '10.77.0.254';
const NOBODY_HARDWARE = '02:77:00:00:00:fe';
const HUB_HARDWARE = '02:77:00:00:00:01';
/** Of routes to nobody, for what a rule sends there. */
const NOWHERE_TABLE = 77;

const hardwareOf = (core: number): string => `02:77:00:00:01:${core.toString(16).padStart(2, '0')}`;
const linkOf = (core: number): string => `core-${core}`;
const allHosts = (cores: number): readonly string[] => sides.flatMap((side) => hostsOf(side, cores));
const known = (host: string, hardware: string, device: string): string =>
  `neighbour replace ${host} lladdr ${hardware} nud permanent dev ${device}`;

/** In the namespace of the proxies, once. */
export function hubCommands(cores: number): string[] {
  const [first, ...others] = allHosts(cores);
  return [
    'link set lo up',
    'link add hub type bridge',
    `link set hub address ${HUB_HARDWARE} up`,
    `address add ${first}/24 dev hub`,
    ...others.map((host) => `address add ${host}/32 dev hub`),
    known(NOBODY, NOBODY_HARDWARE, 'hub'),
    `route add default via ${NOBODY} dev hub table ${NOWHERE_TABLE}`,
  ];
}

/** In the namespace of the proxies, for the namespace that a process holds. */
export function plugCommands(core: number, pid: number): string[] {
  return [
    `link add ${linkOf(core)} type veth peer name hub netns ${pid}`,
    `link set ${linkOf(core)} master hub up`,
    known(coreHost(core), hardwareOf(core), 'hub'),
  ];
}

/** In the process's own namespace. */
export function coreCommands(core: number, cores: number): string[] {
  return [
    'link set lo up',
    `link set hub address ${hardwareOf(core)} up`,
    `address add ${coreHost(core)}/24 dev hub`,
    ...allHosts(cores).map((host) => known(host, HUB_HARDWARE, 'hub')),
    known(NOBODY, NOBODY_HARDWARE, 'hub'),
  ];
}

/** What is to be done and undone, and where: at the proxies, or in the namespace of a process. */
export interface Cut {
  readonly where: 'hub' | { readonly core: number };
  readonly cut: readonly string[];
  readonly heal: readonly string[];
  /** Whose link is taken down: it carries only some time after it was told to be up again. */
  readonly link?: number;
}

/** Devices that the kernel has to have up, asked for as {@link linkCommand} does, before packets pass a link. */
export function devicesOf(core: number): readonly { readonly where: Cut['where']; readonly device: string }[] {
  return [
    { where: 'hub', device: 'hub' },
    { where: 'hub', device: linkOf(core) },
    { where: { core }, device: 'hub' },
  ];
}

/** As arguments of `ip`. */
export const linkCommand = (device: string): string[] => ['-json', '-details', 'link', 'show', 'dev', device];

/** From everybody. */
export function isolation(core: number): Cut {
  return { where: 'hub', cut: [`link set ${linkOf(core)} down`], heal: [`link set ${linkOf(core)} up`], link: core };
}

/** One way between the process and one side; the other way is as before. */
export function loss(core: number, side: Side, way: Way, cores: number): Cut {
  return lossOf(core, hostsOf(side, cores), way);
}

/** What one process says to another, and what it is told in return. What the other one says by itself is as before. */
export function parting(from: number, to: number): readonly Cut[] {
  return [lossOf(from, [peerHost(to)], 'from-core'), lossOf(from, [peerHost(to)], 'to-core')];
}

function lossOf(core: number, hosts: readonly string[], way: Way): Cut {
  if (way === 'from-core') {
    const routes = hosts.map((host) => `${host}/32 via ${NOBODY} dev hub`);
    return {
      where: { core },
      cut: routes.map((route) => `route add ${route}`),
      heal: routes.map((route) => `route del ${route}`),
    };
  }
  const rules = hosts.map((host) => `from ${host} to ${coreHost(core)} lookup ${NOWHERE_TABLE}`);
  return {
    where: 'hub',
    cut: rules.map((rule) => `rule add ${rule}`),
    heal: rules.map((rule) => `rule del ${rule}`),
  };
}
