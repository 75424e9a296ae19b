/**
 * What can go wrong with a statement, named by what happens next: unavailable (the same again may succeed), a unique
 * violation (the caller knows what it means), or the driver's own error (a bug).
 */

/** The database is away, overloaded, or did not answer in time. A write that ends so may have happened. */
export class DatabaseUnavailable extends Error {
  override readonly name = 'DatabaseUnavailable';
  /** The connection was lost, rather than a statement refused: a read may be sent again at once. */
  readonly connectionLost: boolean;

  constructor(message: string, options: { cause?: unknown; connectionLost: boolean }) {
    super(message, { cause: options.cause });
    this.connectionLost = options.connectionLost;
  }
}

export class UniqueViolation extends Error {
  override readonly name = 'UniqueViolation';
  readonly constraint: string;

  constructor(constraint: string, cause: unknown) {
    super(`violates ${constraint}`, { cause });
    this.constraint = constraint;
  }
}

/** Codes of Node and of the driver for a connection that is not there. */
const connectionCodes = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'CONNECT_TIMEOUT',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

/** Connection exceptions (08), and a server that stops, starts, or has ended the session (57P). */
const LOST = /^(08...|57P0.)$/;
/** Out of resources (53), the server's own time-out (57014), read only (25006), deadlock or serialisation (40), I/O (58). */
const TROUBLED = /^(53...|57014|25006|40...|58...)$/;

/** The driver's error as one of ours where it is one; itself otherwise. */
export function classify(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code: unknown = Reflect.get(error, 'code');
  if (typeof code !== 'string') return error;
  if (connectionCodes.has(code) || LOST.test(code)) {
    return new DatabaseUnavailable(`the database is away (${code})`, { cause: error, connectionLost: true });
  }
  if (TROUBLED.test(code)) {
    return new DatabaseUnavailable(`the database is in trouble (${code})`, { cause: error, connectionLost: false });
  }
  if (code === '23505') {
    const constraint: unknown = Reflect.get(error, 'constraint_name');
    return new UniqueViolation(typeof constraint === 'string' ? constraint : 'a unique constraint', error);
  }
  return error;
}
