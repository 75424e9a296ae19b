/**
 * Ports: free or taken, asked before a server is spawned, so that a taken one is one plain sentence and not the
 * forty lines that a broker prints about it.
 */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { errnoOf, StartError } from './errors.ts';

export const localHost = '127.0.0.1';

/** Outgoing connections get theirs from 32768 on (`net.ipv4.ip_local_port_range`). */
const belowOutgoing = { from: 20_000, below: 32_768 } as const;
const TRIES_MAX = 100;

export interface PortUse {
  readonly port: number;
  /** What wants it: "Postgres", "the edge". */
  readonly wantedBy: string;
  /** What changes it: "--postgres-port". */
  readonly flag: string;
}

/** Whether 127.0.0.1:port can be bound now. A privileged port that we may not bind is not free to us. */
export async function isPortFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ host: localHost, port, exclusive: true });
    await once(server, 'listening');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EADDRINUSE' || errno === 'EACCES') return false;
    throw error;
  }
  server.close();
  await once(server, 'close');
  return true;
}

export function portTakenSentence(use: PortUse): string {
  return `Port ${use.port} is taken, and ${use.wantedBy} needs it: end what listens there, or choose another with ${use.flag}.`;
}

/** A {@link StartError} that names every taken port of the list, one sentence each. */
export async function requireFreePorts(uses: readonly PortUse[]): Promise<void> {
  const sentences: string[] = [];
  for (const use of uses) {
    if (!(await isPortFree(use.port))) sentences.push(portTakenSentence(use));
  }
  if (sentences.length > 0) throw new StartError(sentences.join('\n'));
}

/**
 * `count` ports side by side that nobody listens on, for tests and benches: what they start may take the port behind its
 * own, as Kafka's controller does.
 *
 * They are this process' own until it ends: no other caller gets them, in whichever process, and they lie below the
 * ports that Linux gives to outgoing connections, so that a server that is away for a moment finds its port free again.
 *
 * @param among where they are looked for
 * @throws StartError when there is no such place after {@link TRIES_MAX} tries
 */
export async function freePorts(
  count: number,
  among: { readonly from: number; readonly below: number } = belowOutgoing,
): Promise<number[]> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const first = randomInt(among.from, among.below - count + 1);
    const ports = Array.from({ length: count }, (_, index) => first + index);
    if (await holdAll(ports)) return ports;
  }
  throw new StartError(`There are no ${count} free ports side by side from ${among.from} to ${among.below - 1}.`);
}

async function holdAll(ports: readonly number[]): Promise<boolean> {
  const holds: Server[] = [];
  for (const port of ports) {
    const hold = await holdPort(port);
    if (hold !== null) holds.push(hold);
    if (hold === null || !(await isPortFree(port))) {
      for (const one of holds) one.close();
      return false;
    }
  }
  return true;
}

/** A name in Linux' abstract namespace stands for the port: one process has it, and its end gives it back. */
async function holdPort(port: number): Promise<Server | null> {
  const server = createServer().unref();
  try {
    server.listen(`\0local-plus/port/${port}`);
    await once(server, 'listening');
  } catch (error) {
    if (errnoOf(error) === 'EADDRINUSE') return null;
    throw error;
  }
  return server;
}
