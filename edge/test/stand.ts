/**
 * The edge as it is deployed, on a real runtime (workerd unless said otherwise), in front of a stand-in for core; each
 * suite starts its own on free ports. Different tests use different client addresses, as the limits of one outlive it.
 */
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import type { merchants } from '@local-plus/contracts';
import { type StandIn, signingKeys, startStandIn } from './origin.ts';
import { type RunningEdge, type Runtime, startRuntime } from './runtimes.ts';
import { grant, key } from './stage.ts';

export { eventually } from './eventually.ts';

export interface Stand {
  readonly edge: RunningEdge;
  readonly origin: StandIn;
  addKey(secret: string, grant: merchants.KeyGrantAsTold): void;
  removeKey(secret: string): void;
  /** One request through the edge. */
  ask(target: string, init?: RequestInit): Promise<Response>;
  /**
   * Bytes on a socket, and what came back until the connection ended or was silent; headers and body as one text.
   * `thenEnd`: the client says no more after them.
   */
  askRaw(bytes: string | Buffer, thenEnd?: boolean): Promise<string>;
  stop(): Promise<void>;
}

export interface StandOptions {
  readonly runtime?: Runtime;
  readonly bindings?: Record<string, string>;
  /** Without: the isolate's memory counts addresses. */
  readonly counters?: boolean;
}

export async function startStand(options: StandOptions = {}): Promise<Stand> {
  const { runtime = 'workerd', bindings = {}, counters = true } = options;
  const origin = await startStandIn();
  const edge = await startRuntime(runtime, {
    bindings: { ORIGIN_URL: origin.url, SIGNING_KEYS: signingKeys, ENVIRONMENT: 'local', ...bindings },
    counters,
  }).catch(async (cause: unknown) => {
    await origin.goAway();
    throw cause;
  });
  const stand: Stand = {
    edge,
    origin,
    addKey: (secret, granted) => {
      origin.keys.set(digestOf(secret), granted);
    },
    removeKey: (secret) => {
      origin.keys.delete(digestOf(secret));
    },
    ask: (target, init) => fetch(edge.url + target, { redirect: 'manual', ...init }),
    askRaw: (bytes, thenEnd) => askRaw(edge.port, bytes, thenEnd),
    async stop() {
      await edge.stop();
      await origin.goAway();
    },
  };
  stand.addKey(key, grant);
  return stand;
}

function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

const SILENCE_MS = 100;
/** Longer than the edge waits for a body. */
const FIRST_BYTE_MS = 20_000;
const PIECE_BYTES = 16_384;

/** Sends in pieces and stops at the first answer: what is still being sent when a connection is closed resets it. */
function askRaw(port: number, bytes: string | Buffer, thenEnd = false): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const rest = Buffer.from(bytes);
    let sent = 0;
    let text = '';
    const done = (): void => {
      socket.destroy();
      resolve(text);
    };
    const send = (): void => {
      if (text !== '' || socket.destroyed) return;
      if (sent >= rest.length) {
        if (thenEnd) socket.end();
        return;
      }
      const piece = rest.subarray(sent, sent + PIECE_BYTES);
      sent += piece.length;
      socket.write(piece, () => setTimeout(send, 1));
    };
    socket.on('connect', send);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      socket.setTimeout(SILENCE_MS, done);
    });
    socket.setTimeout(FIRST_BYTE_MS, done);
    socket.on('end', done);
    socket.on('error', done);
  });
}
