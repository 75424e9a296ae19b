/** Clients that are slow, or go away: raw connections to the edge. What becomes of their writes nobody is told. */
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { requestOf } from '../clients/requests.ts';
import type { Wish } from '../history.ts';
import type { Draw, Fault, Scene } from './fault.ts';

const common = { lane: 'around', weight: 1 } as const;
const CLIENTS_MAX = 40;
/** How long one that aborts waits first, at most. */
const ABORT_MS = 40;

export const slowClients: Fault = {
  ...common,
  name: 'slow-clients',
  does: 'clients that send a write byte by byte, and do not read the answer',
  leaves: 'the others are served as before; each of these writes happened once or not at all',
  standsFor: 'clients on a bad line',
  forMs: [1_000, 4_000],
  async strike(scene, draw) {
    await eachClient(scene, draw, async (socket, text) => {
      const pieces = 10;
      for (let piece = 0; piece < pieces && !socket.destroyed; piece++) {
        socket.write(text.slice((text.length * piece) / pieces, (text.length * (piece + 1)) / pieces));
        await scene.pause(draw.forMs / pieces);
      }
    });
  },
};

export const abortingClients: Fault = {
  ...common,
  name: 'aborting-clients',
  does: 'clients that send a write and are gone before it is answered',
  leaves: 'each of these writes happened once or not at all, and the same key tells',
  standsFor: 'a phone that loses its network',
  forMs: [200, 1_000],
  async strike(scene, draw) {
    await eachClient(scene, draw, async (socket, text) => {
      socket.write(text);
      await scene.pause(Math.random() * ABORT_MS);
    });
  },
};

type Talk = (socket: ReturnType<typeof connect>, text: string) => Promise<void>;

async function eachClient(scene: Scene, draw: Draw, talk: Talk): Promise<void> {
  const { tenant, stage } = scene;
  const count = Math.min(draw.count, CLIENTS_MAX);
  const clients = Array.from({ length: count }, async (_, number) => {
    const walletId = tenant.walletIds[(number * 7) % tenant.walletIds.length] ?? '';
    const wish: Wish = { operation: 'earn', key: randomUUID(), walletId, toWalletId: null, target: null, amount: 1 };
    const sentMs = performance.now();
    const { port } = new URL(stage.edgeUrl);
    const socket = connect({ host: '127.0.0.1', port: Number(port), noDelay: true });
    socket.on('error', () => undefined);
    socket.pause();
    try {
      await talk(socket, textOf(scene, wish));
    } finally {
      socket.destroy();
      const attempt = { sentMs, endedMs: performance.now(), status: 0, code: 'went away', isReplayed: false };
      scene.caller.record({ ...wish, purpose: 'abort', attempts: [attempt], outcome: 'unknown', answer: null });
    }
  });
  await Promise.all(clients);
}

function textOf({ caller }: Scene, wish: Wish): string {
  const { method, path, body } = requestOf(wish);
  const content = JSON.stringify(body);
  const headers = {
    ...caller.headers,
    host: '127.0.0.1',
    'idempotency-key': wish.key,
    'content-length': content.length,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${path} HTTP/1.1`, ...lines, '', content].join('\r\n');
}
