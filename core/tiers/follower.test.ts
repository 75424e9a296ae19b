/**
 * Tiers while clients earn, spend and reverse through two processes, shards move, and the follower is taken over from, again and
 * again: in the end every tier is what the rows say, and every change was announced once, in order. SEED=<the seed in the
 * test's name> draws the same operations; how they interleave, the machine decides.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { tierChangedEvent, wallets, tiers as wire } from '@local-plus/contracts';
import type postgres from 'postgres';
import type { Database } from '../platform/postgres/index.ts';
import { seededRandom } from '../test/random.ts';
import { eventually, operator, type SignedClient, TestStack } from '../test/stack.ts';
import { inLanes, Tenant } from '../test/tenant.ts';
import { withinDay } from '../test/time.ts';
import { verifyTiers } from './index.ts';

const WALLETS = 30;
const OPERATIONS = 1_200;
const LANES = 12;
/** Longer than all of it takes, on a busy machine. */
const FILE_MS = 120_000;

interface Owned {
  readonly program: Tenant;
  readonly wallet: string;
}

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const draw = seededRandom(seed);
const random = (below: number): number => Math.floor(draw() * below);
const anyOf = <Item>(items: readonly Item[]): Item => items[random(items.length)] as Item;

/** Its shards go to the other process. */
async function drain(client: SignedClient): Promise<void> {
  const answer = await client.post('/v1/admin/shards/drain', { writer_id: 2 }, { caller: operator });
  assert.equal(answer.status, 200, answer.text);
}

const ladder = (points: readonly number[], grace_days = 0) => ({
  window: { period: 'months', count: 1 },
  grace_days,
  tiers: points.map((each, place) => ({ id: `t${place}`, name: 'T', points: each })),
});

describe('the follower of the ledger', () => {
  const stack = new TestStack();
  let sql: postgres.Sql;
  let database: Database;

  before(async () => {
    // What was earned on two days is not due at once, and that is what the second test tampers with.
    await withinDay(FILE_MS);
    await stack.startPostgres();
    sql = stack.sql(2);
    database = stack.pool();
  });
  after(() => stack.stop());

  async function faults(): Promise<string[]> {
    const found: string[] = [];
    const ports = {
      home: database,
      ledgers: [database],
      wrong: (id: string, what: string) => found.push(`${id} ${what}`),
    };
    await verifyTiers(ports);
    return found;
  }

  async function caughtUp(programs: readonly Tenant[]): Promise<void> {
    const ids = programs.map(({ programId }) => programId);
    await eventually('everything is counted', async () => {
      const [row] = await sql<{ behind: number }[]>`select count(*)::int as behind from wallets as w
        join lateral (
          select max(version) as version from transactions where account_id = w.id and kind in ('earn', 'reverse')
        ) as t on true
        left join wallet_tiers as k on k.account_id = w.id
        where w.program_id = any(${ids}) and t.version > coalesce(k.version, 0)`;
      return row?.behind === 0;
    });
    await eventually('by the newest tiers', async () => {
      const [row] = await sql<{ behind: number }[]>`select count(*)::int as behind from tier_programs
        where not is_walked or applied_version < version`;
      return row?.behind === 0;
    });
  }

  /** What clients do: earn mostly, spend, take earns back wholly or in part. */
  class Clients {
    readonly #own: readonly Owned[];
    readonly #clients: readonly SignedClient[];
    readonly #earns: { readonly id: string; readonly of: Owned }[] = [];

    constructor(own: readonly Owned[], clients: readonly SignedClient[]) {
      this.#own = own;
      this.#clients = clients;
    }

    async act(index: number): Promise<void> {
      const of = anyOf(this.#own);
      const { caller } = of.program;
      const client = this.#clients[index % this.#clients.length] as SignedClient;
      const what = random(10);
      if (what < 6) {
        const answer = await client.post(`/v1/wallets/${of.wallet}/earn`, { amount: 1 + random(60) }, { caller });
        if (answer.status === 201) this.#earns.push({ id: wallets.transaction.parse(answer.json).id, of });
      } else if (what < 8) {
        await client.post(`/v1/wallets/${of.wallet}/burn`, { amount: 1 + random(40) }, { caller });
      } else if (this.#earns.length > 0) {
        const earn = anyOf(this.#earns);
        const body = random(2) === 0 ? {} : { amount: 1 + random(10) };
        await client.post(`/v1/transactions/${earn.id}/reverse`, body, { caller: earn.of.program.caller });
      }
    }
  }

  /** The lease is over, for one that knows nothing of it; or somebody else has it for a while. */
  async function disturb(index: number): Promise<void> {
    if (index % 50 === 0) await sql`update tier_follower set until = '-infinity'`;
    if (index % 130 !== 0) return;
    await sql`update tier_follower set holder = gen_random_uuid(), epoch = epoch + 1, until = now()`;
  }

  it(`counts every row once, whoever wrote it and whoever follows (SEED=${seed})`, async () => {
    const first = await stack.startCore({ WRITER_ID: '1' });
    const second = await stack.startCore({ WRITER_ID: '2' });
    const program = { reversal_policy: { type: 'recover' } };
    const early = await Tenant.open(first.client, program);
    const midway = await early.sibling(program);
    const without = await early.sibling();
    const programs = [early, midway, without] as const;
    const own: Owned[] = [];
    for (let place = 0; place < WALLETS; place++) {
      const owner = programs[place % programs.length] as Tenant;
      own.push({ program: owner, wallet: await owner.wallet(10 * place) });
    }
    const set = (of: Tenant, body: object) => of.made(`/v1/programs/${of.programId}/tiers`, body, wire.tierScheme);
    await set(early, ladder([50, 200, 800]));
    const events = new Map<number, () => Promise<unknown>>([
      [OPERATIONS / 3, () => set(midway, ladder([100, 400], 3))],
      [OPERATIONS / 2, () => set(early, ladder([60, 100, 900]))],
      [(OPERATIONS * 2) / 3, () => drain(first.client)],
    ]);
    const clients = new Clients(own, [first.client, second.client]);
    await inLanes(OPERATIONS, LANES, async (index) => {
      await events.get(index)?.();
      await disturb(index);
      await clients.act(index);
    });
    await caughtUp([early, midway]);
    assert.deepEqual(await faults(), []);
    const [untouched] = await sql<{ rows: number }[]>`select count(*)::int as rows from wallet_tiers
      where program_id = ${without.programId}`;
    assert.equal(untouched?.rows, 0, 'a program without tiers is none of its business');
    const announced = await sql<{ payload: unknown }[]>`select payload from outbox
      where event_type = 'loyalty.tier-changed.v1' order by place`;
    const told = announced.map(({ payload }) => tierChangedEvent.parse(payload).data);
    const written = await sql<{ account_id: string; place: number; to_tier: string | null }[]>`
      select account_id, place, to_tier from tier_changes order by account_id, place`;
    assert.ok(written.length > WALLETS / 3, `${written.length} changes`);
    const byWallet = Map.groupBy(told, ({ wallet_id }) => wallet_id);
    assert.deepEqual(
      [...byWallet].sort().flatMap(([id, list]) => list.map((each) => [id, each.place, each.to_tier])),
      written.map(({ account_id, place, to_tier }) => [account_id, place, to_tier]),
    );
    await second.app.stop();
    const last = own[0] as Owned;
    await last.program.made(`/v1/wallets/${last.wallet}/earn`, { amount: 5_000 }, wallets.transaction);
    await caughtUp([early, midway]);
    assert.deepEqual(await faults(), []);
  });

  it('finds what was tampered with, from the command line too', async () => {
    const run = promisify(execFile);
    const command = path.join(import.meta.dirname, '..', 'verify-tiers.ts');
    const verify = () =>
      run(process.execPath, [command], { env: { ...process.env, DATABASE_URL: stack.postgres.url } });
    assert.match((await verify()).stdout, /every tier is what the rows say/);
    const [wallet] = await sql<{ account_id: string }[]>`select account_id from wallet_tiers
      where tier is not null and json_array_length(days) = 1 limit 1`;
    const id = wallet?.account_id ?? '';
    const tampers = [
      [sql`update wallet_tiers set tier = null, due_day = null where account_id = ${id}`, /its tier is null/],
      [sql`update wallet_tiers set due_day = due_day + 1 where account_id = ${id}`, /before it is due/],
      [sql`update wallet_tiers set due_day = due_day - 1 where account_id = ${id}`, /does not fall/],
      [sql`update wallet_tiers set days = '[]' where account_id = ${id}`, /its days/],
      [sql`delete from tier_changes where account_id = ${id} and place = 1`, /history/],
    ] as const;
    const [whole] = await sql`select to_json(w) as row from wallet_tiers as w where account_id = ${id}`;
    for (const [tamper, says] of tampers) {
      await tamper;
      const found = (await faults()).filter((each) => each.startsWith(id)).join('\n');
      assert.match(found, says);
      await sql`delete from wallet_tiers where account_id = ${id}`;
      await sql`insert into wallet_tiers select * from json_populate_record(null::wallet_tiers, ${whole?.['row']})`;
    }
    await assert.rejects(verify(), (error: { code?: number; stdout?: string }) => {
      return error.code === 1 && (error.stdout ?? '').includes('history');
    });
  });
});
