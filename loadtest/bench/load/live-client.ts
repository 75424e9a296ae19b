/**
 * A closed loop that lasts as long as it is told: requests are signed while it runs, on a thread of their own, because a
 * signature is good for half a minute only. A process of its own; prints one line of JSON ({@link LiveOutcome}), the answers of
 * every second among it.
 *
 *     node loadtest/bench/load/live-client.ts PLAN.json
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import type { LiveOutcome, LivePlan } from './live.ts';
import { AnswerReader } from './raw-answers.ts';

/** Pieces of requests that are made or waiting: half a second's worth, and a few megabytes. */
const PIECES_AHEAD = 24;
const LAST_ANSWER_MS = 15_000;

interface Piece {
  readonly requests: Buffer;
  readonly requestBytes: number;
}

class LiveLoop {
  readonly #plan: LivePlan;
  readonly #worker: Worker;
  readonly #pieces: Piece[] = [];
  #at = 0;
  /** Connections that found no request. */
  readonly #idle: (() => void)[] = [];
  readonly #perSecond: number[] = [];
  #startedMs = 0;
  #startedAtMs = 0;
  #endMs = Number.POSITIVE_INFINITY;
  #running = 0;
  #handed = 0;
  #ok = 0;
  #notOk = 0;
  #broken = 0;
  #ready: () => void = () => undefined;
  #finish: () => void = () => undefined;

  constructor(plan: LivePlan) {
    this.#plan = plan;
    this.#worker = new Worker(new URL('request-worker.ts', import.meta.url), { workerData: plan });
    this.#worker.on('message', ({ requests, requestBytes }: { requests: Uint8Array; requestBytes: number }) => {
      if (this.#pieces.length === PIECES_AHEAD - 1) this.#ready();
      this.#pieces.push({ requests: Buffer.from(requests.buffer), requestBytes });
      for (const drive of this.#idle.splice(0)) drive();
    });
  }

  async run(): Promise<LiveOutcome> {
    const sockets = await Promise.all(Array.from({ length: this.#plan.connections }, () => this.#open()));
    for (let piece = 0; piece < PIECES_AHEAD; piece++) this.#worker.postMessage('more');
    // The thread's start is no second of the server's.
    await new Promise<void>((resolve) => {
      this.#ready = resolve;
    });
    const finished = new Promise<void>((resolve) => {
      this.#finish = resolve;
    });
    this.#startedMs = performance.now();
    this.#startedAtMs = Date.now();
    this.#endMs = this.#startedMs + this.#plan.seconds * 1_000;
    this.#running = sockets.length;
    for (const socket of sockets) this.#drive(socket);
    setTimeout(
      () => {
        for (const drive of this.#idle.splice(0)) drive();
      },
      this.#plan.seconds * 1_000 + 1,
    );
    const limit = setTimeout(this.#finish, this.#plan.seconds * 1_000 + LAST_ANSWER_MS);
    await finished;
    clearTimeout(limit);
    for (const socket of sockets) socket.destroy();
    await this.#worker.terminate();
    return {
      ok: this.#ok,
      notOk: this.#notOk,
      broken: this.#broken + this.#running,
      handed: this.#handed,
      startedAtMs: this.#startedAtMs,
      perSecond: this.#perSecond,
    };
  }

  #next(): Buffer | null {
    const piece = this.#pieces[0];
    if (piece === undefined) return null;
    const { requests, requestBytes } = piece;
    const request = requests.subarray(this.#at, this.#at + requestBytes);
    this.#at += requestBytes;
    if (this.#at >= requests.length) {
      this.#pieces.shift();
      this.#at = 0;
      this.#worker.postMessage('more');
    }
    return request;
  }

  async #open(): Promise<Socket> {
    return await new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: this.#plan.port, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(socket);
      });
    });
  }

  #drive(socket: Socket): void {
    const reader = new AnswerReader();
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      if (--this.#running === 0) this.#finish();
    };
    const send = (): void => {
      if (performance.now() >= this.#endMs) return end();
      const request = this.#next();
      if (request === null) {
        this.#idle.push(send);
        return;
      }
      this.#handed++;
      socket.write(request);
    };
    const fail = (): void => {
      if (!isOver) this.#broken++;
      end();
    };
    socket.on('error', fail);
    socket.on('close', fail);
    socket.on('data', (chunk: Buffer) => {
      const status = reader.take(chunk);
      if (status === null) return;
      if (status === 201) this.#count();
      else this.#notOk++;
      send();
    });
    send();
  }

  #count(): void {
    this.#ok++;
    const second = Math.floor((performance.now() - this.#startedMs) / 1_000);
    while (this.#perSecond.length <= second) this.#perSecond.push(0);
    this.#perSecond[second] = (this.#perSecond[second] ?? 0) + 1;
  }
}

const plan = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as LivePlan;
console.log(JSON.stringify(await new LiveLoop(plan).run()));
