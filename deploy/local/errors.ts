/**
 * The errors of the local stack, named by what happens next.
 *
 * Both messages are whole sentences for the person at the terminal: printed as they are, without a stack. Anything
 * else that is thrown is a bug and is printed with its stack.
 */

/** The stack cannot start (or go on); the person has to do something. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** A part cannot be had on this machine; the stack runs without it, and the sentence says what waits. */
export class AbsentError extends Error {
  override readonly name = 'AbsentError';
}

/** The text of anything that was thrown, for a log line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The errno name of a system error (`ENOENT`, `EEXIST`, …); `null` for every other error. */
export function errnoOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}
