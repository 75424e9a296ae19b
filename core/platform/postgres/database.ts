/**
 * The pool: reads, and writes of one statement each.
 *
 * - P1 every write is one statement: there is no BEGIN here (the driver can leak a statement into another's transaction).
 * - P2 every statement ends: the server cancels it after `statementMs`, and whoever waits is told a grace later at the latest.
 *   A live connection that has something to do thus answers something in that time. One that does not is taken for dead, because
 *   a black hole would be waited for until the kernel gives up: the pool is replaced. If the others answer, they finish what they
 *   have; if nobody does, all is cut at once. Who only waited for its turn too long cuts nobody. And what the server said while
 *   this process stood still is read before anybody is told that it said nothing.
 * - P3 a read that lost its connection is sent once more; a write never is, because it may have happened. (After a loss
 *   the driver may give the old error to the next statement, too.)
 * - P4 a result has no holes: after a statement that failed, or lost its connection, in the middle of its rows, the driver
 *   begins the next result of that connection at the place where the failed one ended.
 *
 * Must not know: any table.
 */
import postgres from 'postgres';
import type { Log } from '../telemetry/index.ts';
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

export function createDatabase(options: DatabaseOptions): Database {
  const patienceMs = options.statementMs + options.statementGraceMs;
  const places = new Places(options.connectionsMax * SENT_PER_CONNECTION);
  /** When a pool, and a connection of it, had its last answer of the server. */
  const answeredMs = new WeakMap<object, number>();
  let pool = open(options);
  let isClosed = false;

  function replace(dead: postgres.Sql, graceMs: number): void {
    if (pool !== dead || isClosed) return;
    options.log.warn('database does not answer: connections are replaced', { database: options.name });
    pool = open(options);
    end(dead, graceMs);
  }

  function end(sql: postgres.Sql, graceMs: number): Promise<void> {
    return sql.end({ timeout: graceMs / 1_000 }).catch((error: unknown) => {
      options.log.warn('database connections could not be ended', { error });
    });
  }

  function heard(sql: postgres.Sql, connection: object | null): void {
    const nowMs = performance.now();
    answeredMs.set(sql, nowMs);
    if (connection !== null) answeredMs.set(connection, nowMs);
  }

  /** P2. */
  function judge(sql: postgres.Sql, connection: object | null, sentMs: number): void {
    const hasAnswered = (what: object): boolean => (answeredMs.get(what) ?? Number.NEGATIVE_INFINITY) > sentMs;
    if (hasAnswered(connection ?? sql)) return;
    replace(sql, hasAnswered(sql) ? options.statementMs : 0);
  }

  /** In a place that was taken, and is given back when the driver is done with it, however long nobody has waited any more. */
  async function send<Row>(statement: string, parameters: readonly Parameter[]): Promise<readonly Row[]> {
    const sql = pool;
    const sentMs = performance.now();
    const rows = sql.unsafe<Row[] & object[]>(statement, [...parameters] as postgres.ParameterOrJSON<never>[], {
      prepare: true,
    });
    const callOff = afterReading(patienceMs, () => judge(sql, connectionOf(rows), sentMs));
    try {
      const found = withoutHoles<Row>(await rows);
      heard(sql, connectionOf(rows));
      return found;
    } catch (error) {
      // What the driver says by itself is another class.
      if (error instanceof postgres.PostgresError) heard(sql, connectionOf(rows));
      throw classify(error);
    } finally {
      callOff();
      places.give();
    }
  }

  async function once<Row>(statement: string, parameters: readonly Parameter[]): Promise<readonly Row[]> {
    const endMs = performance.now() + patienceMs;
    if (!places.take() && !(await places.wait(patienceMs))) {
      throw new DatabaseUnavailable('too many statements wait for the database', { connectionLost: false });
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
      await end(pool, graceMs);
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

/** The driver's own mark of the connection that a statement was sent on; null: it was not sent yet. */
function connectionOf(query: object): object | null {
  const state: unknown = Reflect.get(query, 'state');
  return typeof state === 'object' ? state : null;
}

function open(options: DatabaseOptions): postgres.Sql {
  return postgres(options.url, {
    max: options.connectionsMax,
    connect_timeout: options.connectMs / 1_000,
    // A pool that cannot connect says so at once; who asks again decides when.
    backoff: false,
    fetch_types: false,
    prepare: true,
    onnotice: () => undefined,
    connection: { application_name: options.name, statement_timeout: options.statementMs },
    types: {
      bigint: { to: OID.bigint, from: [OID.bigint], serialize: String, parse: safeInteger },
      textArray: { to: OID.textArray, from: [OID.textArray], serialize: arrayLiteral, parse: refuseArray },
      uuidArray: { to: OID.uuidArray, from: [OID.uuidArray], serialize: arrayLiteral, parse: refuseArray },
    },
  });
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
