/**
 * Valkey (or Redis): a real server as our own child process, append-only file on. A cache that evicts only what has
 * an expiry, so that job queues may live beside it.
 */
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { limits } from './limits.ts';
import { defaultCacheDir } from './places.ts';
import { localHost } from './ports.ts';
import { createServer, type Server, type ServerOptions } from './server.ts';
import { valkeyProgram } from './valkey-program.ts';

export interface ValkeyOptions extends Partial<Pick<ServerOptions, 'runDir' | 'logDir'>> {
  /** Where the append-only file stands. */
  readonly dataDir: string;
  readonly port: number;
  /** Where a fetched program is kept; the checkout's `.local/cache` when absent. */
  readonly cacheDir?: string;
  readonly log?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The server, not yet started. */
export function valkeyServer(options: ValkeyOptions): Server {
  const parent = dirname(options.dataDir);
  const runDir = options.runDir ?? join(parent, 'run');
  const logDir = options.logDir ?? join(parent, 'logs');
  const cacheDir = options.cacheDir ?? defaultCacheDir;
  let program: string | null = null;
  return createServer({
    name: 'valkey',
    title: 'Valkey',
    url: () => `redis://${localHost}:${options.port}`,
    portFlag: '--valkey-port',
    options: { ...options, runDir, logDir },
    stopSignal: 'SIGTERM',
    stopGraceMs: limits.valkeyStopMs,
    readyMs: limits.valkeyReadyMs,
    async prepare() {
      program ??= await valkeyProgram({ ...options, cacheDir, logDir });
      mkdirSync(options.dataDir, { recursive: true });
      return { command: program, args: flags(options), cwd: options.dataDir };
    },
    isReady: () => answersPing(options.port),
  });
}

export async function startValkey(options: ValkeyOptions): Promise<Server> {
  const server = valkeyServer(options);
  await server.start();
  return server;
}

function flags(options: ValkeyOptions): string[] {
  return [
    ...['--bind', localHost],
    ...['--port', String(options.port)],
    ...['--dir', options.dataDir],
    ...['--daemonize', 'no'],
    ...['--appendonly', 'yes'],
    ...['--appendfsync', 'everysec'],
    ...['--save', ''],
    ...['--maxmemory', '512mb'],
    ...['--maxmemory-policy', 'volatile-lru'],
  ];
}

/** PONG, and not LOADING: the append-only file has been read. */
function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: localHost, port });
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(limits.killedMs, () => settle(false));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (data) => settle(data.toString('latin1').startsWith('+PONG')));
  });
}
