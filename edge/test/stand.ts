/**
 * The edge as it is deployed, on a real runtime (workerd unless said otherwise), in front of a stand-in for core; each
 * suite starts its own on free ports. Different tests use different client addresses, as the limits of one outlive it.
 */
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:net';
import type { merchants } from '@local-plus/contracts';
import { type StandIn, signingKeys, startStandIn } from './origin.ts';
import { type RunningEdge, type Runtime, startRuntime } from './runtimes.ts';
import { grant, key, told } from './stage.ts';

export { eventually } from './eventually.ts';

export interface Stand {
  readonly edge: RunningEdge;
  readonly origin: StandIn;
  addKey(secret: string, grant: merchants.KeyGrantAsTold): void;
  removeKey(secret: string): void;
  /**
   * One request through the edge, on a connection of its own: one that is kept may be closed by the runtime just when it is
   * used again, and nobody can tell then whether the request was executed.
   */
  ask(target: string, init?: RequestInit): Promise<Response>;
  /** So many GETs at once, each on a connection of its own, however long those take to come about; what each was told. */
  askAtOnce(count: number, target: string, headers: Record<string, string>): Promise<string[]>;
  /**
   * Bytes on a socket, and what came back until the connection ended, or was silent after so many whole `answers` (1); headers
   * and body as one text.
   * `thenEnd`: the client says no more after them.
   */
  askRaw(bytes: string | Buffer, thenEnd?: boolean, answers?: number): Promise<string>;
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
    ask(target, init) {
      const headers = new Headers(init?.headers);
      if (!headers.has('connection')) headers.set('connection', 'close');
      return fetch(edge.url + target, { redirect: 'manual', ...init, headers });
    },
    askAtOnce: (count, target, headers) =>
      Promise.all(Array.from({ length: count }, () => askAlone(edge.port, target, headers))),
    askRaw: (bytes, thenEnd, answers) => askRaw(edge.port, bytes, thenEnd, answers),
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

/** Without the time-outs of `fetch`, and without its kept connections. */
function askAlone(port: number, path: string, headers: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, path, headers, agent: false }, async (answer) => {
      const chunks: Buffer[] = [];
      try {
        for await (const chunk of answer) chunks.push(chunk as Buffer);
        resolve(told(new Response(Buffer.concat(chunks), { status: answer.statusCode ?? 0 })));
      } catch (cause) {
        reject(cause);
      }
    });
    asking.once('error', reject).end();
  });
}

/** After a whole answer: another one would be the answer to bytes that are no request. */
const SILENCE_MS = 100;
/** Longer than the edge waits for a body. */
const STALLED_MS = 20_000;
const PIECE_BYTES = 16_384;
const HEAD_END = '\r\n\r\n';
const LAST_CHUNK = '\r\n0\r\n\r\n';

/** Sends in pieces and stops at the first answer: what is still being sent when a connection is closed resets it. */
function askRaw(port: number, bytes: string | Buffer, thenEnd = false, answers = 1): Promise<string> {
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
      // Immediates come after what has arrived was read: an answer is never overtaken by the next piece.
      socket.write(piece, () => setTimeout(() => setImmediate(send), 1));
    };
    socket.on('connect', send);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (hasWhole(text, answers)) socket.setTimeout(SILENCE_MS, done);
    });
    socket.setTimeout(STALLED_MS, done);
    socket.on('end', done);
    socket.on('error', done);
  });
}

function hasWhole(text: string, answers: number): boolean {
  let at = 0;
  for (let count = 0; count < answers; count++) {
    const length = lengthOfAnswer(text.slice(at));
    if (length === null) return false;
    at += length;
  }
  return true;
}

/** From the head of the first answer to its end; null: it is not all there, or ends with its connection. No HTTP/1 is all there. */
function lengthOfAnswer(text: string): number | null {
  if (!text.startsWith('HTTP/1.'.slice(0, text.length))) return text.length;
  const headEnd = text.indexOf(HEAD_END);
  if (headEnd < 0) return null;
  const head = text.slice(0, headEnd + 2);
  const bodyAt = headEnd + HEAD_END.length;
  const status = Number(head.slice(9, 12));
  if (status < 200) {
    const rest = lengthOfAnswer(text.slice(bodyAt));
    return rest === null ? null : bodyAt + rest;
  }
  if (status === 204) return bodyAt;
  const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1];
  if (length !== undefined) return text.length >= bodyAt + Number(length) ? bodyAt + Number(length) : null;
  if (!/\r\ntransfer-encoding: *chunked\r\n/i.test(head)) return null;
  const lastChunk = text.indexOf(LAST_CHUNK, headEnd + 2);
  return lastChunk < 0 ? null : lastChunk + LAST_CHUNK.length;
}
