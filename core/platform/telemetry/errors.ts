/**
 * What the log says of an error.
 *
 * - E1 no value of a row or a parameter reaches the log: the database quotes them in its messages, so its own words
 *   are kept only for trouble of the server (classes 08, 53, 57, 58, XX), and code, table and constraint otherwise.
 */

const CAUSES_MAX = 5;
const SERVER_TROUBLE = /^(08|53|57|58|XX)/;

export interface ErrorDescription {
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: ErrorDescription;
}

export function describeError(error: unknown, depth = 0): ErrorDescription {
  if (!(error instanceof Error)) return { type: typeof error, message: 'something that is no Error was thrown' };
  const message = messageOf(error);
  const code = textOf(error, 'code');
  const frames = error.stack?.split('\n').filter((line) => line.startsWith('    at '));
  return {
    type: error.name,
    message,
    ...(code === null ? {} : { code }),
    ...(frames === undefined ? {} : { stack: frames.join('\n') }),
    ...(error.cause === undefined || depth >= CAUSES_MAX ? {} : { cause: describeError(error.cause, depth + 1) }),
  };
}

function messageOf(error: Error): string {
  const code = textOf(error, 'code');
  const isFromDatabase = code !== null && textOf(error, 'severity') !== null;
  if (!isFromDatabase || SERVER_TROUBLE.test(code)) return error.message;
  const place = ['table_name', 'column_name', 'constraint_name']
    .map((field) => textOf(error, field))
    .filter((part) => part !== null)
    .join(' ');
  return `the database refused: ${code} ${place}`.trimEnd();
}

function textOf(error: Error, field: string): string | null {
  const value: unknown = Reflect.get(error, field);
  return typeof value === 'string' ? value : null;
}
