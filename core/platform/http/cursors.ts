/** The cursor of a list's query, as whoever made it reads it. */
import { ProblemError } from './handler.ts';

/** The cursor's meaning; null: there is none. Throws `invalid_cursor` for one that is none of ours. */
export function cursorValue<Value>(cursor: string | undefined, read: (cursor: string) => Value | null): Value | null {
  if (cursor === undefined) return null;
  const value = read(cursor);
  if (value === null) throw new ProblemError('invalid_cursor');
  return value;
}
