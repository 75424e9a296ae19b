/**
 * Ports: free or taken, asked before a server is spawned, so that a taken one is one plain sentence and not the
 * forty lines that a broker prints about it.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { errnoOf, StartError } from './errors.ts';

export const localHost = '127.0.0.1';

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

/** `count` different ports that are free now, for tests: the kernel chooses them. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    server.listen({ host: localHost, port: 0 });
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
    ports.push(address.port);
  }
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  return ports;
}
