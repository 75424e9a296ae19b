/**
 * Several real processes of core on one real Postgres, clients that retry as good ones do, and the comparison of what they
 * were answered with the tables.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { shards, wallets } from '@local-plus/contracts';
import { freePorts } from '@local-plus/deploy';
import type postgres from 'postgres';
import {
  type Answer,
  adminToken,
  type Caller,
  eventually,
  operator,
  SignedClient,
  signingKeysText,
  type TestStack,
} from '../../test/stack.ts';
import { Tenant } from '../../test/tenant.ts';

const main = fileURLToPath(new URL('../../main.ts', import.meta.url));
/** A guard against hanging: longer than anything that a test does to a fleet lasts, on any machine. */
const KNOWN_MS = 120_000;
const PAUSE_MS = 25;
const CALL_MS = 4_000;
/** A machine that is busy with other things takes half a minute to start a process, and its share comes to it after that. */
const READY_MS = 90_000;

export interface Member {
  readonly writerId: number;
  readonly client: SignedClient;
  readonly child: ChildProcess;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  readonly output: () => string;
}

export class Fleet {
  readonly #stack: TestStack;
  readonly #env: Readonly<Record<string, string>>;
  readonly #all: Member[] = [];
  readonly #ports = new Map<number, number>();
  /** Those that clients call. */
  readonly live = new Map<number, Member>();

  constructor(stack: TestStack, env: Readonly<Record<string, string>> = {}) {
    this.#stack = stack;
    this.#env = env;
  }

  /** On the port that this writer had before; resolves when it is ready. */
  async start(writerId: number, env: Readonly<Record<string, string>> = {}): Promise<Member> {
    const [fresh = 0] = this.#ports.has(writerId) ? [] : await freePorts(1);
    const port = this.#ports.get(writerId) ?? fresh;
    this.#ports.set(writerId, port);
    const member = this.#spawn(writerId, port, env);
    const isReady = async () => (await member.client.get('/readyz').catch(() => null))?.status === 200;
    await eventually(`core ${writerId} is ready`, isReady, READY_MS).catch((cause) => {
      throw new Error(`it said:\n${member.output()}`, { cause });
    });
    this.live.set(writerId, member);
    return member;
  }

  #spawn(writerId: number, port: number, env: Readonly<Record<string, string>>): Member {
    const child = spawn(process.execPath, [main], {
      env: {
        PATH: process.env['PATH'],
        DATABASE_URL: this.#stack.postgres.url,
        EDGE_SIGNING_KEYS: signingKeysText,
        ADMIN_TOKEN: adminToken,
        CORE_PORT: String(port),
        WRITER_ID: String(writerId),
        LOG_LEVEL: 'info',
        ...this.#env,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    const exited = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
    const member = { writerId, client: new SignedClient(port), child, exited, output: () => output };
    this.#all.push(member);
    return member;
  }

  member(writerId: number): Member {
    const member = this.live.get(writerId);
    assert.ok(member, `core ${writerId} runs`);
    return member;
  }

  /** Clients do not call it any more; what they have called is still answered. */
  async terminate(writerId: number): Promise<void> {
    const member = this.member(writerId);
    this.live.delete(writerId);
    member.child.kill('SIGTERM');
    assert.deepEqual(await member.exited, { code: 0, signal: null }, member.output());
  }

  async kill(writerId: number): Promise<void> {
    const member = this.member(writerId);
    this.live.delete(writerId);
    member.child.kill('SIGKILL');
    await member.exited;
  }

  async overview(): Promise<shards.Overview> {
    const [member] = this.live.values();
    assert.ok(member);
    const answer = await member.client.get('/v1/admin/shards', { caller: operator });
    assert.equal(answer.status, 200, answer.text);
    return shards.overview.parse(answer.json);
  }

  /** Shards by owner. */
  async shares(): Promise<Record<number, number>> {
    const { members } = await this.overview();
    return Object.fromEntries(members.filter((each) => each.shards > 0).map((each) => [each.writer_id, each.shards]));
  }

  async settlesOn(...writerIds: number[]): Promise<void> {
    const isSettled = async () => {
      const counts = Object.entries(await this.shares());
      const values = counts.map(([, count]) => count);
      const isEven = Math.max(...values) - Math.min(...values) <= 1;
      return isEven && counts.map(([id]) => Number(id)).join() === writerIds.join();
    };
    await eventually(`${writerIds.join(', ')} share the shards`, isSettled, READY_MS);
  }

  /**
   * Posts as a good client does: whoever of them is asked, the same key again until it is known what became of it.
   *
   * @param trouble called with what each try that came to nothing said
   */
  async ask(
    caller: Caller,
    target: string,
    body: unknown,
    key: string,
    trouble: (what: string) => void = () => undefined,
  ): Promise<Answer> {
    const endMs = performance.now() + KNOWN_MS;
    while (performance.now() < endMs) {
      const members = [...this.live.values()];
      const member = members[Math.floor(Math.random() * members.length)];
      const call = member?.client.post(target, body, { caller, key });
      const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), CALL_MS).unref());
      const answer = await Promise.race([call?.catch(() => null) ?? null, late]);
      if (answer?.status === 201 || answer?.status === 409) return answer;
      assert.ok(answer === null || answer.status === 503 || answer.status === 429, answer?.text);
      trouble(answer === null ? 'no answer' : String(answer.status));
      await pause(PAUSE_MS);
    }
    return assert.fail(`it never became known what became of ${key}`);
  }

  async metric(writerId: number, name: string): Promise<number> {
    const { text } = await this.member(writerId).client.get('/metrics');
    const line = text.split('\n').find((each) => each.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1) ?? Number.NaN);
  }

  stop(): void {
    for (const { child } of this.#all) {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
    }
  }
}

export interface Told {
  readonly walletId: string;
  readonly key: string;
  readonly status: number;
  readonly text: string;
}

/** Clients that go on until they are told to stop; each call has one key, and is repeated until it is known. */
export class Load {
  readonly told: Told[] = [];
  /** Tries that came to nothing, and what they said. */
  readonly troubles = new Map<string, number>();
  longestMs = 0;
  #isOver = false;
  readonly #clients: Promise<unknown>;
  readonly #fleet: Fleet;
  readonly #caller: Caller;
  readonly #walletIds: readonly string[];

  constructor(fleet: Fleet, tenant: Tenant, walletIds: readonly string[], clients: number) {
    this.#fleet = fleet;
    this.#caller = tenant.caller;
    this.#walletIds = walletIds;
    this.#clients = Promise.all(Array.from({ length: clients }, (_, index) => this.#client(index)));
  }

  /** Resolves when every call is known. */
  async end(): Promise<readonly Told[]> {
    this.#isOver = true;
    await this.#clients;
    return this.told;
  }

  async #client(index: number): Promise<void> {
    for (let number = 0; !this.#isOver; number++) {
      const walletId = this.#walletIds[(index + number * 7) % this.#walletIds.length] as string;
      await this.#call(walletId, number % 3 === 2 ? 'burn' : 'earn', randomUUID());
    }
  }

  async #call(walletId: string, kind: string, key: string): Promise<void> {
    const startedMs = performance.now();
    const { status, text } = await this.#fleet.ask(
      this.#caller,
      `/v1/wallets/${walletId}/${kind}`,
      { amount: 3 },
      key,
      (what) => {
        this.troubles.set(what, (this.troubles.get(what) ?? 0) + 1);
      },
    );
    this.told.push({ walletId, key, status, text });
    this.longestMs = Math.max(this.longestMs, performance.now() - startedMs);
  }
}

/** Nothing lost, nothing twice, every answer as the tables have it (I2, I3). */
export async function compare(sql: postgres.Sql, walletIds: readonly string[], told: readonly Told[]): Promise<void> {
  const ids = [...walletIds];
  const rows = await sql`select idempotency_key, version::int as version, balance_after::int as balance_after
    from transactions where account_id = any(${ids}::uuid[])`;
  const posted = new Map(told.filter(({ status }) => status === 201).map((each) => [each.key, each]));
  assert.equal(rows.length, posted.size, 'as many rows as answers');
  for (const row of rows) {
    const each = posted.get(row['idempotency_key']);
    assert.ok(each, `a row that nobody was told of: ${row['idempotency_key']}`);
    const shown = wallets.transaction.parse(JSON.parse(each.text));
    assert.deepEqual([shown.version, shown.balance_after], [row['version'], row['balance_after']]);
  }
  const [refusals] = await sql`select count(*)::int as rows from refusals where account_id = any(${ids}::uuid[])`;
  assert.equal(refusals?.['rows'], told.length - posted.size);
  const wrong = await sql`
    select account_id, version from (
      select account_id, version, balance_after, row_number() over w as dense, sum(balance_delta) over w as running
      from transactions where account_id = any(${ids}::uuid[])
      window w as (partition by account_id order by version)
    ) as t where version <> dense or balance_after <> running or balance_after < 0`;
  assert.deepEqual([...wrong], []);
}

/** Wallets without any points, in all shards alike. */
export async function newWallets(member: Member, count: number): Promise<{ tenant: Tenant; walletIds: string[] }> {
  const tenant = await Tenant.open(member.client);
  const walletIds: string[] = [];
  for (let number = 0; number < count; number++) walletIds.push(await tenant.wallet());
  return { tenant, walletIds };
}
