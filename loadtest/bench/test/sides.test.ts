/** Every side really is a ledger: what was answered is there once, balances are the sums of rows, keys are remembered. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import postgres from 'postgres';
import { type Stoppable, stopAll } from '../../program.ts';
import { repositoryDir } from '../../stack-process.ts';
import { createEnvironment, type Environment } from '../environment.ts';
import { fillLedger } from '../growth/fill.ts';
import { chooseGenerator } from '../load/generator.ts';
import { runLive } from '../load/live.ts';
import { runOpenLoop } from '../load/open-loop.ts';
import { earnsPerRequest, type Shape, single } from '../load/shape.ts';
import { type RoundSettings, runRound } from '../round.ts';
import { type HttpSide, type Side, workloads } from '../side.ts';
import { startEcho } from '../sides/echo.ts';
import { startInProcess } from '../sides/in-process.ts';
import { startOurs } from '../sides/ours.ts';
import { startPgbench } from '../sides/pgbench.ts';
import { createRivalDatabase, rivalTitles, startRival } from '../sides/rival.ts';
import type { RivalName } from '../sides/rival-ledger.ts';

const WALLETS = 25;
const CONNECTIONS = 16;
const EARNS_PER_SECOND = 8_000;

const started: Stoppable[] = [];
let environment: Environment;
let settings: RoundSettings;

before(async () => {
  environment = await createEnvironment(WALLETS, started, () => undefined);
  settings = {
    // It waits for every answer, so rows and answers must be equal.
    generator: await chooseGenerator('own'),
    dir: environment.dir,
    postgresPid: environment.postgresPid,
    connections: CONNECTIONS,
    seconds: 1,
    warmupSeconds: 0,
    // Nothing is measured here: a slow machine's idle servers use more of a processor, and that is no aftermath.
    quietCpuShare: 0.5,
  };
});
after(async () => {
  await stopAll(started);
  environment.remove();
});

async function bearsOut(side: Side, shapes: readonly Shape[] = [single]): Promise<void> {
  for (const shape of shapes) {
    for (const workload of workloads) {
      // All are signed before the first is sent, and a signature is good for half a minute: of large ones there are fewer.
      const expectedPerSecond = Math.ceil(EARNS_PER_SECOND / earnsPerRequest(shape));
      const { rows } = await runRound(settings, side, { workload, shape, expectedPerSecond });
      assert.ok(rows > 0, workload);
    }
  }
  assert.deepEqual(await side.audit?.(), []);
}

async function post(side: HttpSide, kind: string, amount: number, key: string) {
  const response = await fetch(`http://127.0.0.1:${side.port}/v1/wallets/${side.walletIds[0]}/${kind}`, {
    method: 'POST',
    headers: { 'idempotency-key': key, 'content-type': 'application/json' },
    body: JSON.stringify({ amount }),
  });
  const text = await response.text();
  return { status: response.status, text, isReplay: response.headers.get('idempotent-replayed') === 'true' };
}

for (const name of Object.keys(rivalTitles) as RivalName[]) {
  describe(`the side ${rivalTitles[name]}`, () => {
    let side: HttpSide;
    let sql: postgres.Sql;
    before(async () => {
      const database = await createRivalDatabase(environment.surroundings, name);
      side = environment.keep(await startRival(environment.surroundings, database, 8));
      sql = postgres(database.url, { max: 1 });
    });
    after(() => sql.end());

    it('has what it answered, once', () => bearsOut(side));

    it('remembers keys: a replay is the same, another request is refused', async () => {
      const key = randomUUID();
      const first = await post(side, 'earn', 7, key);
      assert.deepEqual([first.status, first.isReplay], [201, false]);
      assert.deepEqual(await post(side, 'earn', 7, key), { ...first, isReplay: true });
      assert.equal((await post(side, 'earn', 8, key)).status, 422);
      const together = await Promise.all(Array.from({ length: 20 }, () => post(side, 'earn', 9, `${key}-2`)));
      assert.equal(together.filter(({ status, isReplay }) => status === 201 && !isReplay).length, 1);
      assert.deepEqual(await side.audit?.(), []);
    });

    it('pays out no more than is there, and a paid burn is replayed when nothing is left', async () => {
      const earned = await post(side, 'earn', 1, randomUUID());
      const { balance_after: balance } = JSON.parse(earned.text) as { balance_after: number };
      const key = randomUUID();
      assert.equal((await post(side, 'burn', balance + 1, randomUUID())).status, 409);
      assert.equal((await post(side, 'burn', balance, key)).status, 201);
      assert.equal((await post(side, 'burn', 1, randomUUID())).status, 409);
      assert.equal((await post(side, 'burn', balance, key)).isReplay, true);
      assert.deepEqual(await side.audit?.(), []);
    });

    it('would be found out', async () => {
      await sql`update accounts set balance = balance + 1 where id = ${side.walletIds[1] as string}`;
      const faults = (await side.audit?.()) ?? [];
      assert.match(faults.join(), new RegExp(`not the sum of its entries: ${side.walletIds[1]}`));
    });
  });
}

describe('our side', () => {
  it('has what it answered, once, with replays and in bulk, too', async () => {
    const side = environment.keep(await startOurs(environment.surroundings));
    await bearsOut(side, [single, { type: 'replays', every: 5, lag: 100 }, { type: 'bulk', lines: 20 }]);
  });

  it('goes on from a filled ledger, which the ledger itself finds right', async () => {
    const side = environment.keep(
      await startOurs(environment.surroundings, {
        label: 'filled',
        fill: (databaseUrl, tenant) => fillLedger(databaseUrl, tenant, { wallets: WALLETS, rows: 2_510 }),
      }),
    );
    await bearsOut(side);
    const sql = postgres(side.databaseUrl, { max: 1 });
    const [newest] = await sql<{ version: number }[]>`select max(version)::int as version from transactions`;
    await sql.end();
    assert.ok((newest?.version ?? 0) > 2_510 / WALLETS + 1, 'the new rows come after the filled ones');
    const verify = [join(repositoryDir, 'core', 'verify-ledger.ts')];
    // Throws when it finds something.
    execFileSync(process.execPath, verify, { env: { ...process.env, DATABASE_URL: side.databaseUrl }, stdio: 'pipe' });
  });
});

describe('the sides without HTTP', () => {
  it('group commit in the process has what it answered, once', async () => {
    await bearsOut(environment.keep(await startInProcess(environment.surroundings, CONNECTIONS)));
  });

  it('pgbench makes rows that are a ledger', async (context) => {
    const side = await startPgbench(environment.surroundings, environment.postgresPid);
    if (side === null) return context.skip('pgbench is not on PATH');
    side.setBatchRows('uniform', 37);
    await bearsOut(environment.keep(side));
    side.setBatchRows('uniform', 5);
    await bearsOut(side);
  });
});

describe('the other generators', () => {
  let echo: HttpSide;
  before(async () => {
    echo = environment.keep(await startEcho(environment.surroundings));
  });

  it('the open loop sends what has arrived, and counts what came back', async () => {
    const plan = { dir: environment.dir, workload: 'hot', connections: 20, seed: 5 } as const;
    const outcome = await runOpenLoop(echo, { ...plan, ratePerSecond: 300, seconds: 2 });
    assert.equal(outcome.sent + outcome.unsent, outcome.offered);
    assert.deepEqual(outcome.statuses, { 201: outcome.sent });
    assert.equal(outcome.broken, 0);
  });

  it('the live one signs while it sends, and knows each second', async () => {
    const live = await runLive(echo, { dir: environment.dir, workload: 'uniform', seconds: 2, connections: 10 });
    assert.deepEqual([live.notOk, live.broken], [0, 0]);
    assert.equal(live.ok, live.handed);
    assert.equal(
      live.perSecond.reduce((sum, count) => sum + count, 0),
      live.ok,
    );
  });
});
