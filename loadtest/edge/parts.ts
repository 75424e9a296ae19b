/** The parts of the edge's bench: a trivial origin, our Worker and a bare proxy before it, each on a workerd of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { type EdgeOptions, edgeObjects, freePorts, type Server, startEdge } from '@local-plus/deploy';
import { stopAll } from '../program.ts';

export interface Workers {
  readonly edge: Server;
  readonly bare: Server;
  /** To start them again as they were built. */
  readonly options: Readonly<Record<'edge' | 'bare', EdgeOptions>>;
  stop(): Promise<void>;
}

export async function startWorkers(dir: string): Promise<Workers> {
  const [originPort = 0, edgePort = 0, barePort = 0] = await freePorts(3);
  const origin = await startOrigin(originPort);
  const ORIGIN_URL = `http://127.0.0.1:${originPort}`;
  const optionsOf = (name: string, port: number): Pick<EdgeOptions, 'port' | 'runDir' | 'logDir' | 'buildDir'> => ({
    port,
    runDir: join(dir, name, 'run'),
    logDir: join(dir, name, 'logs'),
    buildDir: join(dir, name, 'build'),
  });
  const options = {
    edge: {
      ...optionsOf('edge', edgePort),
      bindings: { ORIGIN_URL, SIGNING_KEYS: `k1:${randomBytes(32).toString('base64url')}`, ENVIRONMENT: 'local' },
      durableObjects: edgeObjects,
    },
    bare: {
      ...optionsOf('bare', barePort),
      bindings: { ORIGIN_URL },
      entry: join(import.meta.dirname, 'bare-worker.ts'),
    },
  } satisfies Record<string, EdgeOptions>;
  const started: Server[] = [];
  const stop = async (): Promise<void> => {
    await stopAll(started);
    origin.kill('SIGTERM');
  };
  try {
    const edge = await startEdge(options.edge);
    started.push(edge);
    const bare = await startEdge(options.bare);
    started.push(bare);
    return { edge, bare, options, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A process of its own, so that its work is not counted among the bench's. */
async function startOrigin(port: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'origin.ts'), String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const first = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  if (!Buffer.isBuffer(first[0])) throw new Error('the trivial origin did not start');
  return child;
}
