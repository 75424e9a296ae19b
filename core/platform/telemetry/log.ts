/**
 * The log: JSON lines, one event name and its fields each.
 *
 * - T1 no personal data, no secret: events carry ids and counts; what is secret by its name is removed even so, and
 *   errors go through {@link describeError}.
 */
import { type DestinationStream, destination, type Logger, pino } from 'pino';
import { describeError } from './errors.ts';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** `error` is described, the rest is written as it is. */
export type Fields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(event: string, fields?: Fields): void;
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields): void;
  /** The same log with fields on every line. */
  with(fields: Fields): Log;
  /** Writes out what waits; for the last lines of a process. */
  flush(): void;
}

const secretNames = [
  'authorization',
  'api_key',
  'key',
  'secret',
  'password',
  'token',
  'signature',
  'name',
  'email',
  'phone',
  'customer_id',
  'external_id',
];
const redact = { paths: secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[removed]' };

/** @param stream where lines go; standard output, without waiting for its reader, by default */
export function createLog(level: LogLevel, stream?: DestinationStream): Log {
  const options = {
    level,
    base: { service: 'core', pid: process.pid },
    messageKey: 'event',
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact,
    serializers: { error: (error: unknown) => describeError(error) },
  };
  if (stream !== undefined) return facade(pino(options, stream), () => undefined);
  const output = destination({ dest: 1, sync: false });
  return facade(pino(options, output), () => output.flushSync());
}

function facade(logger: Logger, flush: () => void): Log {
  return {
    debug: (event, fields) => logger.debug(fields ?? {}, event),
    info: (event, fields) => logger.info(fields ?? {}, event),
    warn: (event, fields) => logger.warn(fields ?? {}, event),
    error: (event, fields) => logger.error(fields ?? {}, event),
    with: (fields) => facade(logger.child(fields), flush),
    flush,
  };
}
