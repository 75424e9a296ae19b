/**
 * An open loop: requests arrive at a given rate, whether earlier ones were answered or not. A process of its own; prints
 * one line of JSON ({@link openLoopOutcome}).
 *
 * A request's time runs from the moment that it is due and noticed, waiting for a free connection included, to its answer. How
 * late the client itself noticed is told apart: that is its own fault, not the server's.
 *
 *     node loadtest/bench/load/open-loop-client.ts --file F --bytes N --port P --connections C --seconds S --rate R --seed X
 */
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { percentile } from '../report/statistics.ts';
import { arrivals } from './arrivals.ts';
import type { OpenLoopOutcome } from './open-loop.ts';
import { AnswerReader } from './raw-answers.ts';
import { RequestReader } from './request-reader.ts';

/** A request that has no answer for so long after the end is given up. */
const LAST_ANSWER_MS = 12_000;
/** Connections are opened in groups: a server's queue of connections is short. */
const OPEN_AT_ONCE = 128;

interface Settings {
  readonly file: string;
  readonly bytes: number;
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  readonly rate: number;
  readonly seed: number;
}

class OpenLoop {
  readonly #settings: Settings;
  readonly #requests: RequestReader;
  readonly #free: Connection[] = [];
  /** Noticed and without a connection: when they were noticed. */
  readonly #waiting: number[] = [];
  readonly #latenciesMs: number[] = [];
  readonly #latenessMs: number[] = [];
  readonly #statuses = new Map<number, number>();
  #inTime = 0;
  #isOver = false;
  #underWay = 0;
  #broken = 0;
  #sent = 0;
  #finish: () => void = () => undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#requests = new RequestReader(settings.file, settings.bytes);
  }

  async run(): Promise<OpenLoopOutcome> {
    const { seconds, rate, seed, connections } = this.#settings;
    const due = arrivals(rate, seconds, seed);
    while (this.#free.length < connections) {
      const count = Math.min(OPEN_AT_ONCE, connections - this.#free.length);
      this.#free.push(...(await Promise.all(Array.from({ length: count }, () => this.#open()))));
    }
    await this.#send(due);
    this.#isOver = true;
    this.#waiting.length = 0;
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#finish = resolve;
        setTimeout(resolve, LAST_ANSWER_MS).unref();
      });
    }
    this.#requests.close();
    return {
      offered: due.length,
      sent: this.#sent,
      unsent: due.length - this.#sent,
      statuses: Object.fromEntries(this.#statuses),
      okInTime: this.#inTime,
      broken: this.#broken + this.#underWay,
      seconds,
      p50Ms: percentile(this.#latenciesMs, 0.5),
      p99Ms: percentile(this.#latenciesMs, 0.99),
      latenessP99Ms: percentile(this.#latenessMs, 0.99),
    };
  }

  /** Resolves at the end of the last second. */
  async #send(due: Float64Array): Promise<void> {
    const startedMs = performance.now();
    const endMs = startedMs + this.#settings.seconds * 1_000;
    for (let next = 0; performance.now() < endMs; ) {
      const nowMs = performance.now();
      for (; next < due.length && startedMs + (due[next] as number) <= nowMs; next++) {
        this.#latenessMs.push(nowMs - startedMs - (due[next] as number));
        this.#waiting.push(nowMs);
      }
      this.#serve();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  #serve(): void {
    while (this.#waiting.length > 0 && this.#free.length > 0) {
      const request = this.#requests.next();
      if (request === null) throw new Error('there are more arrivals than requests');
      const noticedMs = this.#waiting.shift() as number;
      this.#underWay++;
      this.#sent++;
      (this.#free.pop() as Connection).send(request, noticedMs);
    }
  }

  async #open(): Promise<Connection> {
    const socket = await new Promise<Socket>((resolve, reject) => {
      const opening = connect({ host: '127.0.0.1', port: this.#settings.port, noDelay: true });
      opening.once('error', reject);
      opening.once('connect', () => {
        opening.off('error', reject);
        resolve(opening);
      });
    });
    const connection = new Connection(socket, {
      answered: (status, noticedMs) => this.#answered(connection, status, noticedMs),
      failed: (wasBusy) => this.#failed(connection, wasBusy),
    });
    return connection;
  }

  #answered(connection: Connection, status: number, noticedMs: number): void {
    this.#underWay--;
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
    const isOk = status >= 200 && status < 300;
    if (isOk) this.#latenciesMs.push(performance.now() - noticedMs);
    if (isOk && !this.#isOver) this.#inTime++;
    this.#free.push(connection);
    if (!this.#isOver) this.#serve();
    else if (this.#underWay === 0) this.#finish();
  }

  #failed(connection: Connection, wasBusy: boolean): void {
    const at = this.#free.indexOf(connection);
    if (at >= 0) this.#free.splice(at, 1);
    if (!wasBusy) return;
    this.#broken++;
    this.#underWay--;
    if (this.#isOver && this.#underWay === 0) this.#finish();
  }
}

class Connection {
  readonly #socket: Socket;
  readonly #reader = new AnswerReader();
  #noticedMs: number | null = null;

  constructor(
    socket: Socket,
    heard: { answered(status: number, noticedMs: number): void; failed(wasBusy: boolean): void },
  ) {
    this.#socket = socket;
    let isGone = false;
    const fail = (): void => {
      if (isGone) return;
      isGone = true;
      heard.failed(this.#noticedMs !== null);
    };
    socket.on('error', fail);
    socket.on('close', fail);
    socket.on('data', (chunk: Buffer) => {
      const status = this.#reader.take(chunk);
      if (status === null || this.#noticedMs === null) return;
      const noticedMs = this.#noticedMs;
      this.#noticedMs = null;
      heard.answered(status, noticedMs);
    });
  }

  send(request: Buffer, noticedMs: number): void {
    this.#noticedMs = noticedMs;
    this.#socket.write(request);
  }
}

function readSettings(): Settings {
  const names = ['bytes', 'port', 'connections', 'seconds', 'rate', 'seed'] as const;
  const options = Object.fromEntries(['file', ...names].map((name) => [name, { type: 'string' }] as const));
  const { values } = parseArgs({ options });
  const [bytes = 0, port = 0, connections = 0, seconds = 0, rate = 0, seed = 0] = names.map((name) =>
    Number(values[name]),
  );
  return { file: String(values['file']), bytes, port, connections, seconds, rate, seed };
}

const outcome = await new OpenLoop(readSettings()).run();
console.log(JSON.stringify(outcome));
// Connections that nobody answered stay open.
process.exit(0);
