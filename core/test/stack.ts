/**
 * Core in the test's own process, on a real Postgres of its own and, where asked for, a real Valkey; spoken to as the
 * edge speaks to it.
 */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type EdgeContext,
  merchants,
  type Problem,
  type ProblemCode,
  parseSigningKeys,
  problemSchema,
} from '@local-plus/contracts';
import { freePorts, type PostgresServer, type Server, startPostgres, startValkey } from '@local-plus/deploy';
import type postgres from 'postgres';
import { type App, createApp } from '../app.ts';
import { migrationsFolder, readConfig } from '../config.ts';
import { signHeaders } from '../platform/http/index.ts';
import { type Database, type DatabaseOptions, migrate } from '../platform/postgres/index.ts';
import type { Log } from '../platform/telemetry/index.ts';
import { Connections } from './connections.ts';
import { quiet } from './log.ts';
import { assertWritten } from './written.ts';

export const signingKeysText = `k2:${randomBytes(32).toString('base64url')},k1:${randomBytes(32).toString('base64url')}`;
export const [signingKey, olderSigningKey] = parseSigningKeys(signingKeysText);
export const codeKeysText = `k1:${randomBytes(32).toString('base64url')}`;
export const customerKeysText = `c1:${randomBytes(32).toString('base64url')}`;
export const adminToken = randomBytes(32).toString('base64url');

export type Caller = Partial<EdgeContext>;
export const operator: Caller = { subject: 'operator', scopes: ['admin'] };
export const nobody: Caller = {};
export const theEdge: Caller = { subject: 'edge' };

/** A merchant's key with every scope that such a key can have. */
export function merchantCaller(merchantId: string): Caller {
  return { merchantId, subject: randomUUID(), scopes: merchants.merchantScopes };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: unknown;
}

export interface Sent {
  readonly caller?: Caller;
  readonly key?: string;
  /** A text goes as it is, anything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export class SignedClient {
  readonly origin: string;

  constructor(port: number) {
    this.origin = `http://127.0.0.1:${port}`;
  }

  get(target: string, sent: Sent = {}): Promise<Answer> {
    return this.send('GET', target, sent);
  }

  /** With an Idempotency-Key of its own unless one is given. */
  post(target: string, body: unknown, sent: Sent = {}): Promise<Answer> {
    return this.send('POST', target, { key: randomUUID(), ...sent, body });
  }

  async send(method: string, target: string, sent: Sent): Promise<Answer> {
    const body = sent.body === undefined || typeof sent.body === 'string' ? sent.body : JSON.stringify(sent.body);
    const headers: Record<string, string> = {
      ...signHeaders(signingKey, { method, target, body, idempotencyKey: sent.key, context: sent.caller }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(sent.key === undefined ? {} : { 'idempotency-key': sent.key }),
      ...sent.headers,
    };
    return answerOf(await fetch(this.origin + target, { method, headers, ...(body === undefined ? {} : { body }) }));
  }
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = /\bjson/.test(response.headers.get('content-type') ?? '') && text !== '';
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : null };
}

/** The answer is this problem, whole and well-formed. */
export function assertProblem(answer: Answer, status: number, code: ProblemCode): Problem {
  const problem = problemSchema.parse(answer.json);
  assert.deepEqual([answer.status, problem.code], [status, code], answer.text);
  assert.equal(answer.headers.get('content-type'), 'application/problem+json');
  assert.equal(answer.headers.get('x-request-id'), problem.request_id);
  if (status === 429 || status === 503) assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/);
  return problem as Problem;
}

/** However slow the machine is: time that it did not have is not held against what is waited for. */
const LOOKS_MIN = 100;

/** Waits for what must come true, within bounds; says what it waited for when it does not. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>, withinMs = 20_000) {
  const end = performance.now() + withinMs;
  for (let looks = 0; looks < LOOKS_MIN || performance.now() < end; looks++) {
    if (await holds()) return;
    await pause(20);
  }
  assert.fail(`did not come true: ${what}`);
}

/**
 * As a client does: asks again until it is told what became of it, within bounds. A connection that broke, or that a busy
 * machine did not make in time, tells nothing.
 * @param ask with the same key each time
 */
export async function patiently(
  ask: () => Promise<Answer>,
  isFinal: (answer: Answer) => boolean = ({ status }) => status !== 429 && status < 500,
  withinMs = 60_000,
): Promise<Answer> {
  const end = performance.now() + withinMs;
  for (let waitMs = 20; ; waitMs = Math.min(2 * waitMs, 320)) {
    const answer = await ask().catch((error: unknown) => {
      // This is how fetch says it.
      if (error instanceof TypeError && error.message === 'fetch failed') return error;
      throw error;
    });
    if (!(answer instanceof TypeError) && isFinal(answer)) return answer;
    const last = answer instanceof TypeError ? String(answer.cause) : `${answer.status} ${answer.text}`;
    assert.ok(performance.now() < end, `it never settled: ${last}`);
    await pause(waitMs);
  }
}

/** Disturbs again and again for as long as the work goes on, however it ends. */
export async function meanwhile<Result>(work: Promise<Result>, disturb: () => Promise<unknown>): Promise<Result> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  work.then(over, over);
  while (!isOver) await disturb();
  return work;
}

/** Each of these processes is connected to Valkey ('up'), or knows that it is not ('down'). */
export async function redisIs(state: 'up' | 'down', ...clients: readonly SignedClient[]): Promise<void> {
  for (const client of clients) {
    await eventually(`Redis is ${state}`, async () => {
      const { json } = await client.get('/readyz');
      return (json as { parts: { redis: string } }).parts.redis === state;
    });
  }
}

/** One process's worth of core, ready. */
export interface Core {
  readonly client: SignedClient;
  readonly app: App;
  readonly port: number;
}

export class TestStack {
  readonly #dir = mkdtempSync(path.join(tmpdir(), 'local-plus-core-'));
  readonly #apps: App[] = [];
  #postgres: PostgresServer | null = null;
  #connections: Connections | null = null;
  #valkey: Server | null = null;

  get postgres(): PostgresServer {
    assert.ok(this.#postgres);
    return this.#postgres;
  }

  get valkey(): Server {
    assert.ok(this.#valkey);
    return this.#valkey;
  }

  async startPostgres(): Promise<void> {
    const [port = 0] = await freePorts(1);
    this.#postgres = await startPostgres({ dataDir: path.join(this.#dir, 'postgres'), port });
    await migrate({ url: this.#postgres.url, folder: migrationsFolder, connectMs: 5_000 });
  }

  async startValkey(): Promise<void> {
    const [port = 0] = await freePorts(1);
    this.#valkey = await startValkey({ dataDir: path.join(this.#dir, 'valkey'), port });
  }

  /** What most tests begin with: Postgres, and one core on it. */
  async serve(env: Readonly<Record<string, string>> = {}, log: Log = quiet): Promise<Core> {
    await this.startPostgres();
    return this.startCore(env, log);
  }

  /**
   * Two processes of core that tell each other by Valkey what is new, and know that it is there. The other one joins as
   * writer 2.
   */
  async serveTwo(): Promise<[client: SignedClient, elsewhere: SignedClient]> {
    await this.startValkey();
    const { client } = await this.serve();
    const { client: elsewhere } = await this.startCore({ WRITER_ID: '2' });
    await redisIs('up', client, elsewhere);
    return [client, elsewhere];
  }

  /** Beside core on its database, and ended with the stack: see {@link Connections}. */
  sql(connectionsMax?: number): postgres.Sql {
    return this.#connected.sql(connectionsMax);
  }

  pool(bounds?: Partial<DatabaseOptions>): Database {
    return this.#connected.pool(bounds);
  }

  get #connected(): Connections {
    this.#connections ??= new Connections(this.postgres.url);
    return this.#connections;
  }

  /** Writers differ, or the later takes over from the earlier. */
  async startCore(env: Readonly<Record<string, string>> = {}, log: Log = quiet): Promise<Core> {
    const config = readConfig({
      CORE_PORT: '0',
      DATABASE_URL: this.postgres.url,
      REDIS_URL: this.#valkey?.url ?? '',
      EDGE_SIGNING_KEYS: signingKeysText,
      ADMIN_TOKEN: adminToken,
      GIFTCARD_CODE_KEYS: codeKeysText,
      CUSTOMER_KEYS: customerKeysText,
      ...env,
    });
    const app = createApp({ config, log, fatal: (reason) => assert.fail(reason) });
    this.#apps.push(app);
    const port = await app.start();
    const client = new SignedClient(port);
    await eventually('core is ready', async () => (await client.get('/readyz')).status === 200);
    return { client, app, port };
  }

  async stop(): Promise<void> {
    for (const app of this.#apps) await app.stop();
    await this.#connections?.close();
    try {
      // Unless the test has ended it.
      if (this.#postgres?.pid) await assertWritten(this.#postgres.url);
    } finally {
      await this.#valkey?.stop();
      await this.#postgres?.stop();
      rmSync(this.#dir, { recursive: true, force: true });
    }
  }
}
