/**
 * The pool: reads, and writes of one statement each.
 *
 * - P1 every write is one statement: there is no BEGIN here (the driver can leak a statement into another's transaction).
 * - P2 every statement ends: the server cancels it after `statementMs`, and whoever waits is told a grace later at the latest.
 *   A live connection that has something to do thus answers something in that time. One that does not is taken for dead, because
 *   a black hole would be waited for until the kernel gives up: the pool is replaced. If the others answer, they finish what they
 *   have; if nobody does, all is cut at once. Who only waited for its turn too long cuts nobody. And what the server said while
 *   this process stood still is read before anybody is told that it said nothing.
 * - P3 a read that lost its connection is sent once more; a write never is, because it may have happened.
 * - P4 a connection that ended is used no more ({@link file://./connection.ts}), and a result has no holes: after a statement that
 *   failed in the middle of its rows the driver begins the next result of that connection at the place where it ended.
 *
 * Must not know: any table.
 */
import postgres from 'postgres';
import type { Log } from '../telemetry/index.ts';
import { type ConnectionOptions, openConnection } from './connection.ts';
import { classify, DatabaseUnavailable } from './errors.ts';
import { Places } from './places.ts';

export type Parameter = string | number | boolean | Date | null | readonly string[];

export interface DatabaseOptions {
  readonly url: string;
  /** Shown in pg_stat_activity. */
  readonly name: string;
  readonly connectionsMax: number;
  readonly connectMs: number;
  readonly statementMs: number;
  /** How much later than the server the client gives up. */
  readonly statementGraceMs: number;
  readonly log: Log;
}

/**
 * `statement` is a constant with `$1` …: it is prepared once per connection. `bigint` columns come as numbers and are
 * refused past 2^53. Every call rejects with {@link DatabaseUnavailable}, `UniqueViolation`, or what is a bug.
 */
export interface Database {
  read<Row>(statement: string, parameters?: readonly Parameter[]): Promise<readonly Row[]>;
  write<Row>(statement: string, parameters?: readonly Parameter[]): Promise<readonly Row[]>;
  /** Waits for what runs, for `graceMs` at most. */
  close(graceMs: number): Promise<void>;
}

const OID = { bigint: 20, textArray: 1009, uuidArray: 2951 } as const;

/** Statements that the driver has of each connection: it cannot give one back, so all others wait here. */
const SENT_PER_CONNECTION = 16;

/** One of the pool's connections. */
interface Member {
  readonly sql: postgres.Sql;
  /** Statements that the driver has of it. */
  underWay: number;
  /** When it had its last answer of the server. */
  answeredMs: number;
}

export function createDatabase(options: DatabaseOptions): Database {
  const patienceMs = options.statementMs + options.statementGraceMs;
  const places = new Places(options.connectionsMax * SENT_PER_CONNECTION);
  let members: readonly Member[] = [];
  let isClosed = false;

  /** One that has nothing to do; else a further one; else the one that has least to do. */
  function choose(): Member {
    let idlest: Member | null = null;
    for (const member of members) {
      if (idlest === null || member.underWay < idlest.underWay) idlest = member;
    }
    const isEnough = idlest?.underWay === 0 || members.length === options.connectionsMax;
    return idlest !== null && isEnough ? idlest : join();
  }

  function join(): Member {
    const sql = openConnection(options.url, driverOptions(options), () => {
      members = members.filter((each) => each !== member);
    });
    const member: Member = { sql, underWay: 0, answeredMs: Number.NEGATIVE_INFINITY };
    members = [...members, member];
    return member;
  }

  function endAll(all: readonly Member[], graceMs: number): Promise<unknown> {
    const ends = all.map(({ sql }) =>
      sql.end({ timeout: graceMs / 1_000 }).catch((error: unknown) => {
        options.log.warn('database connections could not be ended', { error });
      }),
    );
    return Promise.all(ends);
  }

  /** P2. */
  function judge(member: Member, sentMs: number): void {
    const hasAnswered = ({ answeredMs }: Member): boolean => answeredMs > sentMs;
    if (hasAnswered(member) || !members.includes(member) || isClosed) return;
    options.log.warn('database does not answer: connections are replaced', { database: options.name });
    const all = members;
    members = [];
    void endAll(all, all.some(hasAnswered) ? options.statementMs : 0);
  }

  /**
   * One was lost. Those that have nothing to do may be dead, too, and nobody would notice: the next statement goes to a new one. One
   * that could not be made is tried again.
   */
  function giveUp(lost: Member): void {
    if (lost.answeredMs === Number.NEGATIVE_INFINITY) return;
    const idle = members.filter((each) => each === lost || each.underWay === 0);
    members = members.filter((each) => !idle.includes(each));
    void endAll(idle, 0);
  }

  /** In a place that was taken, and is given back when the driver is done with it, however long nobody has waited any more. */
  async function send<Row>(statement: string, parameters: readonly Parameter[]): Promise<readonly Row[]> {
    const member = choose();
    const sentMs = performance.now();
    member.underWay++;
    const callOff = afterReading(patienceMs, () => judge(member, sentMs));
    try {
      const rows = await member.sql.unsafe<Row[] & object[]>(
        statement,
        [...parameters] as postgres.ParameterOrJSON<never>[],
        { prepare: true },
      );
      member.answeredMs = performance.now();
      return withoutHoles<Row>(rows);
    } catch (cause) {
      // What the driver says by itself is another class.
      if (cause instanceof postgres.PostgresError) member.answeredMs = performance.now();
      const error = classify(cause);
      if (error instanceof DatabaseUnavailable && error.connectionLost) giveUp(member);
      throw error;
    } finally {
      member.underWay--;
      callOff();
      places.give();
    }
  }

  async function once<Row>(statement: string, parameters: readonly Parameter[]): Promise<readonly Row[]> {
    const endMs = performance.now() + patienceMs;
    if (!places.take() && !(await places.wait(patienceMs))) {
      throw new DatabaseUnavailable('too many statements wait for the database', { connectionLost: false });
    }
    if (isClosed) {
      places.give();
      throw new DatabaseUnavailable('the pool was closed here', { connectionLost: false });
    }
    const { promise: silence, reject } = Promise.withResolvers<never>();
    const callOff = afterReading(Math.max(0, endMs - performance.now()), () =>
      reject(new DatabaseUnavailable('the database did not answer in time', { connectionLost: false })),
    );
    try {
      return await Promise.race([send<Row>(statement, parameters), silence]);
    } finally {
      callOff();
    }
  }

  return {
    async read<Row>(statement: string, parameters: readonly Parameter[] = []) {
      try {
        return await once<Row>(statement, parameters);
      } catch (error) {
        if (!(error instanceof DatabaseUnavailable && error.connectionLost)) throw error;
        return once<Row>(statement, parameters);
      }
    },
    write: <Row>(statement: string, parameters: readonly Parameter[] = []) => once<Row>(statement, parameters),
    async close(graceMs) {
      isClosed = true;
      await endAll(members, graceMs);
    },
  };
}

/** P2. After `timeMs`, and after what has arrived by then; returns what calls it off. */
function afterReading(timeMs: number, run: () => void): () => void {
  let reading: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    reading = setImmediate(run);
  }, timeMs);
  return () => {
    clearTimeout(timer);
    clearImmediate(reading);
  };
}

function driverOptions(options: DatabaseOptions): ConnectionOptions {
  return {
    connect_timeout: options.connectMs / 1_000,
    // Who cannot connect is told at once, and decides when to ask again.
    backoff: false,
    prepare: true,
    connection: { application_name: options.name, statement_timeout: options.statementMs },
    types: {
      bigint: { to: OID.bigint, from: [OID.bigint], serialize: String, parse: safeInteger },
      textArray: { to: OID.textArray, from: [OID.textArray], serialize: arrayLiteral, parse: refuseArray },
      uuidArray: { to: OID.uuidArray, from: [OID.uuidArray], serialize: arrayLiteral, parse: refuseArray },
    },
  };
}

/** P4. What is behind the holes is whole. */
function withoutHoles<Row>(rows: readonly Row[]): readonly Row[] {
  return rows.length === 0 || 0 in rows ? rows : rows.filter(() => true);
}

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new Error('a bigint of the database is past 2^53');
  return value;
}

/** An array of texts as Postgres reads it; the text NULL is quoted, so it stays a text. */
function arrayLiteral(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(',')}}`;
}

function refuseArray(): never {
  throw new Error('select arrays as to_json(…): the driver is told only how to send them');
}
