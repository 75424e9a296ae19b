/** The pool on a real Postgres that is killed, throttled and cut off: every statement ends, and ends named. */
import assert from 'node:assert/strict';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { quiet, recorded } from '../../test/log.ts';
import { eventually, TestStack } from '../../test/stack.ts';
import { createDatabase, type Database, type DatabaseOptions, DatabaseUnavailable, UniqueViolation } from './index.ts';

/** A wire to Postgres that can be cut without a word. */
class Wire {
  readonly #sockets = new Set<Socket>();
  readonly #others = new Map<Socket, Socket>();
  readonly #server: Server;
  readonly #silent = new Set<Socket>();
  isSilent = false;

  constructor(targetPort: number) {
    this.#server = createServer((inner) => {
      const outer = connect(targetPort, '127.0.0.1');
      for (const [from, to] of [
        [inner, outer],
        [outer, inner],
      ] as const) {
        this.#sockets.add(from);
        this.#others.set(from, to);
        from.on('data', (chunk) => {
          if (!this.isSilent && !this.#silent.has(from)) to.write(chunk);
        });
        from.on('error', () => to.destroy());
        from.on('close', () => to.destroy());
      }
    });
  }

  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () => {
        const address = this.#server.address();
        assert.ok(address !== null && typeof address === 'object');
        resolve(address.port);
      });
    });
  }

  /** Of the connections that there are, one; the others go on. */
  silenceOne(): void {
    const [[one, other] = []] = this.#others;
    assert.ok(one && other);
    this.#silent.add(one).add(other);
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

/** Any number that nothing else locks. */
const LOCK = 4_711;
const REPLACED = 'connections are replaced';

describe('the pool', () => {
  const stack = new TestStack();
  const open: Database[] = [];

  function pool(url: string = stack.postgres.url, change: Partial<DatabaseOptions> = {}): Database {
    const bounds = { connectionsMax: 2, connectMs: 5_000, statementMs: 5_000, statementGraceMs: 1_000, ...change };
    const database = createDatabase({ url, name: 'test', log: quiet, ...bounds });
    open.push(database);
    return database;
  }

  before(async () => {
    await stack.startPostgres();
    await pool().write('create table things (id int primary key, name text constraint things_name unique)');
  });
  after(async () => {
    for (const database of open) await database.close(0);
    await stack.stop();
  });

  it('gives integers as numbers, and none that it would have to round', async () => {
    const database = pool();
    const [row] = await database.read<{ n: number }>('select 9007199254740991::bigint as n');
    assert.equal(row?.n, Number.MAX_SAFE_INTEGER);
    await assert.rejects(database.read('select 9007199254740993::bigint as n'), /past 2\^53/);
  });

  it('sends texts in arrays as they are', async () => {
    const texts = ['', 'a', 'NULL', '{}', 'a,b', '"quoted"', 'back\\slash', ' ä 𝄞 '];
    const [row] = await pool().read<{ texts: string[] }>('select to_json($1::text[]) as texts', [texts]);
    assert.deepEqual(row?.texts, texts);
    const [none] = await pool().read<{ texts: string[] }>('select to_json($1::text[]) as texts', [[]]);
    assert.deepEqual(none?.texts, []);
  });

  it('names what the caller can act on, and leaves bugs as they are', async () => {
    const database = pool();
    await database.write('insert into things values (1, $1)', ['x']);
    await assert.rejects(database.write('insert into things values (2, $1)', ['x']), (error) => {
      return error instanceof UniqueViolation && error.constraint === 'things_name';
    });
    await assert.rejects(pool(undefined, { statementMs: 500 }).read('select pg_sleep(60)'), (error) => {
      return error instanceof DatabaseUnavailable && !error.connectionLost;
    });
    await assert.rejects(database.read('select nonsense'), (error) => !(error instanceof DatabaseUnavailable));
    assert.equal((await database.read('select 1')).length, 1);
  });

  it('reads on when its connections are ended under it', async () => {
    const database = pool();
    const [own] = await database.read<{ pid: number }>('select pg_backend_pid() as pid');
    await pool().read('select pg_terminate_backend($1::int)', [own?.pid ?? 0]);
    for (let turn = 0; turn < 10; turn++) assert.equal((await database.read('select 1')).length, 1);
  });

  it('says at once that there is nobody', async () => {
    await assert.rejects(pool('postgres://u:p@127.0.0.1:1/x').read('select 1'), (error) => {
      return error instanceof DatabaseUnavailable && error.connectionLost;
    });
  });

  it('reads whole results after one that failed in the middle of its rows, or lost its connection there (P4)', async () => {
    const database = pool();
    const seven = { seven: 7 };
    for (let round = 0; round < 5; round++) {
      await assert.rejects(database.read('select 10 / (30 - i) as q from generate_series(1, 60) as i'));
      assert.deepEqual([...(await database.read('select 7 as seven'))], [seven]);
    }
    const many = 'select i, repeat(md5(i::text), 50) from generate_series(1, 20000) as i';
    const ending =
      "select pg_terminate_backend(pid) from pg_stat_activity where query like '%20000%' and pid <> pg_backend_pid()";
    const killer = pool();
    for (let round = 0; round < 10; round++) {
      const reading = Promise.allSettled([database.read(many), database.read(many)]);
      await killer.read(ending).catch(() => undefined);
      await reading;
      const reads = await Promise.allSettled(Array.from({ length: 4 }, () => database.read('select 7 as seven')));
      for (const read of reads) if (read.status === 'fulfilled') assert.deepEqual([...read.value], [seven]);
    }
  });

  it('cuts nobody because others wait too long for their turn, and keeps its connections then', async () => {
    const { log, lines } = recorded();
    const database = pool(stack.postgres.url, { log, statementMs: 4_000, statementGraceMs: 500 });
    const pids = async () => {
      const reads = Array.from({ length: 8 }, () => database.read<{ pid: number }>('select pg_backend_pid() as pid'));
      return new Set((await Promise.all(reads)).map(([row]) => row?.pid));
    };
    const before = await pids();
    // Two connections, and so five seconds of work: more than anybody waits, and none of it takes long by itself.
    const [first, second, ...others] = Array.from({ length: 4 }, () => database.write('select pg_sleep(2.5)'));
    const outcomes = Promise.allSettled(others);
    await Promise.all([first, second]);
    const late = [database.write('select 1'), database.write('select 2')];
    const failed = (await outcomes).flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    assert.equal(failed.length, 2, 'those who waited for two others');
    for (const reason of failed) assert.ok(reason instanceof DatabaseUnavailable && !reason.connectionLost);
    for (const rows of await Promise.all(late)) assert.equal(rows.length, 1);
    assert.deepEqual(await pids(), before);
    assert.ok(!lines.join('').includes(REPLACED));
  });

  it('reads what was answered while the process stood still, and cuts nobody for that', async () => {
    const { log, lines } = recorded();
    const database = pool(stack.postgres.url, { log, statementMs: 1_500, statementGraceMs: 500 });
    await Promise.all([database.read('select 1'), database.read('select 2')]);
    const writing = database.write('select pg_sleep(0.1), 77');
    const sql = stack.sql();
    await eventually('it is sent', async () => {
      return (await sql`select 1 from pg_stat_activity where query = 'select pg_sleep(0.1), 77'`).length === 1;
    });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500);
    assert.equal((await writing).length, 1);
    assert.ok(!lines.join('').includes(REPLACED));
  });

  it('tells whoever finds no place in time, and never sends what nobody waits for', async () => {
    const database = pool(stack.postgres.url, { connectionsMax: 1, statementMs: 2_000, statementGraceMs: 1_000 });
    await database.write('create table told (id int)');
    const outcomes = await whileLocked(async () => {
      const held = Array.from({ length: 16 }, () => database.write(`select pg_advisory_xact_lock_shared(${LOCK})`));
      const unsent = Array.from({ length: 4 }, () => database.write('insert into told values (1)'));
      return Promise.allSettled([...held, ...unsent]);
    });
    // The server cancels the first that waits for the lock: the first of these has its place, and is late all the same.
    for (const outcome of outcomes.slice(17)) {
      assert.ok(outcome.status === 'rejected' && outcome.reason instanceof DatabaseUnavailable);
      assert.match(outcome.reason.message, /too many statements wait/);
    }
    await eventually('its connection is through with the others', () => answers(database));
    assert.ok((await database.read('select 1 from told')).length <= 1);
  });

  it('opens no connection any more once it is closed, for those who waited for their turn either', async () => {
    const name = 'closed while they waited';
    const database = pool(stack.postgres.url, { name, connectionsMax: 1 });
    const writes = Array.from({ length: 24 }, () => database.write('select pg_sleep(0.05)'));
    const outcomes = Promise.allSettled(writes);
    await writes[0];
    await database.close(0);
    const failed = (await outcomes).flatMap((each) => (each.status === 'rejected' ? [String(each.reason)] : []));
    assert.ok(
      failed.some((reason) => reason.includes('the pool was closed here')),
      String(failed),
    );
    await assert.rejects(database.read('select 1'), DatabaseUnavailable);
    await eventually('none is left', async () => {
      const sql = stack.sql();
      return (await sql`select 1 from pg_stat_activity where application_name = ${name}`).length === 0;
    });
  });

  it('lets the others finish what they have when one of its connections goes silent', async () => {
    const { port } = stack.postgres;
    const wire = new Wire(port);
    const wirePort = await wire.listen();
    const { log, lines } = recorded();
    const bounds = { log, statementMs: 4_000, statementGraceMs: 1_000 };
    const database = pool(stack.postgres.url.replace(`:${port}/`, `:${wirePort}/`), bounds);
    try {
      await Promise.all([database.read('select 1'), database.read('select 2')]);
      wire.silenceOne();
      const reads = async () => {
        const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => database.write('select 3')));
        return outcomes.filter(({ status }) => status === 'fulfilled').length;
      };
      const first = reads();
      // So late that the server lets it run until the connections are replaced, and after that.
      await pause(2_500);
      const running = await whileLocked(async () => {
        const waiting = Array.from({ length: 2 }, () => {
          return database.write(`select pg_advisory_xact_lock_shared(${LOCK})`);
        });
        const outcomes = Promise.allSettled(waiting);
        await eventually('the connections are replaced', () => lines.join('').includes(REPLACED));
        return { outcomes };
      });
      const outcomes = await running.outcomes;
      assert.equal(await first, 4, 'those on the other connection');
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 2, 'it was not cut');
      await eventually('all connections answer', async () => (await reads()) === 8);
    } finally {
      wire.close();
    }
  });

  /** Both connections. */
  async function answers(database: Database): Promise<boolean> {
    const outcomes = await Promise.allSettled([database.read('select 4'), database.read('select 5')]);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') assert.ok(outcome.reason instanceof DatabaseUnavailable);
    }
    return outcomes.every(({ status }) => status === 'fulfilled');
  }

  /** Nobody else gets the lock meanwhile. */
  async function whileLocked<Result>(work: () => Promise<Result>): Promise<Result> {
    return stack
      .sql()
      .begin(async (holder) => {
        await holder`select pg_advisory_xact_lock(${LOCK})`;
        return { result: await work() };
      })
      .then(({ result }) => result);
  }

  it('gives up on a connection that goes silent, and works again on new ones', async () => {
    const { port } = stack.postgres;
    const wire = new Wire(port);
    const wirePort = await wire.listen();
    const bounds = { connectMs: 2_000, statementMs: 1_000 };
    const database = pool(stack.postgres.url.replace(`:${port}/`, `:${wirePort}/`), bounds);
    try {
      await eventually('it reads', () => answers(database));
      wire.isSilent = true;
      const lost = await Promise.allSettled(Array.from({ length: 10 }, () => database.read('select 3')));
      for (const outcome of lost) {
        assert.ok(outcome.status === 'rejected' && outcome.reason instanceof DatabaseUnavailable);
      }
      wire.isSilent = false;
      await eventually('it reads again', () => answers(database));
    } finally {
      wire.close();
    }
  });
});
