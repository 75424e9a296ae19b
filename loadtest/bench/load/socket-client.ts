/**
 * A closed-loop HTTP client of our own, for machines without wrk: raw sockets, requests made beforehand, answers read
 * no further than status and length. It stops sending at the end of the round and waits for what is under way, so that
 * answers and rows must be equal. Its own process; prints one line of JSON.
 *
 *     node loadtest/bench/load/socket-client.ts --file F --bytes N --port P --connections C --seconds S
 */
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { AnswerReader } from './raw-answers.ts';
import { RequestReader } from './request-reader.ts';

/** A connection that has no answer for so long after the end is given up. */
const LAST_ANSWER_MS = 10_000;

interface Settings {
  readonly file: string;
  readonly bytes: number;
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
}

class Round {
  readonly statuses = new Map<number, number>();
  readonly latenciesMs: number[] = [];
  broken = 0;
  handed = 0;
  #running = 0;
  #isOver = false;
  readonly #requests: RequestReader;
  readonly #settings: Settings;
  #finish: () => void = () => undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#requests = new RequestReader(settings.file, settings.bytes);
  }

  /** Resolves to the milliseconds from the first request to the end of sending. */
  async run(): Promise<number> {
    const sockets = await Promise.all(Array.from({ length: this.#settings.connections }, () => this.#open()));
    const finished = new Promise<void>((resolve) => {
      this.#finish = resolve;
    });
    const startedMs = performance.now();
    let sentForMs = 0;
    setTimeout(() => {
      this.#isOver = true;
      sentForMs = performance.now() - startedMs;
    }, this.#settings.seconds * 1_000);
    const limit = setTimeout(this.#finish, this.#settings.seconds * 1_000 + LAST_ANSWER_MS);
    this.#running = sockets.length;
    for (const socket of sockets) this.#drive(socket);
    await finished;
    clearTimeout(limit);
    for (const socket of sockets) socket.destroy();
    this.#requests.close();
    return sentForMs;
  }

  #open(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: this.#settings.port, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(socket);
      });
    });
  }

  #drive(socket: Socket): void {
    let sentMs = 0;
    const reader = new AnswerReader();
    let isIdle = false;
    const send = (): void => {
      const request = this.#isOver ? null : this.#requests.next();
      if (request === null) {
        isIdle = true;
        this.#idle();
        return;
      }
      this.handed++;
      sentMs = performance.now();
      socket.write(request);
    };
    const fail = (): void => {
      if (isIdle) return;
      isIdle = true;
      this.broken++;
      this.#idle();
    };
    socket.on('error', fail);
    socket.on('close', fail);
    socket.on('data', (chunk: Buffer) => {
      const status = reader.take(chunk);
      if (status === null) return;
      this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
      this.latenciesMs.push(performance.now() - sentMs);
      send();
    });
    send();
  }

  #idle(): void {
    if (--this.#running === 0) this.#finish();
  }
}

function readSettings(): Settings {
  const { values } = parseArgs({
    options: {
      file: { type: 'string', default: '' },
      bytes: { type: 'string', default: '0' },
      port: { type: 'string', default: '0' },
      connections: { type: 'string', default: '256' },
      seconds: { type: 'string', default: '5' },
    },
  });
  const { file, bytes, port, connections, seconds } = values;
  return {
    file,
    bytes: Number(bytes),
    port: Number(port),
    connections: Number(connections),
    seconds: Number(seconds),
  };
}

const round = new Round(readSettings());
const elapsedMs = await round.run();
const sorted = Float64Array.from(round.latenciesMs).sort();
const percentile = (share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
const done = (round.statuses.get(201) ?? 0) + (round.statuses.get(200) ?? 0);
console.log(
  JSON.stringify({
    answers: sorted.length,
    notOk: sorted.length - done,
    broken: round.broken,
    handed: round.handed,
    elapsedMs,
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
    maxMs: sorted.at(-1) ?? 0,
  }),
);
