/** Turns what zod finds wrong into the field errors of a problem document. The same at the edge and in core. */
import type { z } from 'zod';
import type { FieldError } from './problems.ts';

export type Validation<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

const ERRORS_MAX = 20;

/** Validates a body. `errors` point into it by JSON Pointer. */
export function validate<Schema extends z.ZodType>(schema: Schema, input: unknown): Validation<z.output<Schema>> {
  return validateWith(schema, input, (path) => path.map((token) => `/${escapeToken(String(token))}`).join(''));
}

/** Validates a query. A parameter that stands twice is refused. `errors` point by `?name`. */
export function validateQuery<Schema extends z.ZodType>(
  schema: Schema | null,
  query: string,
): Validation<z.output<Schema>> {
  // Without a prototype, `__proto__` is a name like any other.
  const members: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(query)) {
    if (Object.hasOwn(members, name)) {
      return { ok: false, errors: [{ pointer: `?${name}`, code: 'duplicate', detail: 'The parameter stands twice.' }] };
    }
    members[name] = value;
  }
  if (schema === null) {
    const errors = Object.keys(members).map((name) => ({
      pointer: `?${name}`,
      code: 'unrecognized_keys',
      detail: 'There is no such parameter.',
    }));
    return errors.length > 0
      ? { ok: false, errors: errors.slice(0, ERRORS_MAX) }
      : { ok: true, value: {} as z.output<Schema> };
  }
  return validateWith(schema, members, (path) => `?${path.map(String).join('.')}`);
}

function validateWith<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  point: (path: readonly PropertyKey[]) => string,
): Validation<z.output<Schema>> {
  const result = schema.safeParse(input);
  if (result.success) return { ok: true, value: result.data };
  const errors = result.error.issues.flatMap((issue): FieldError[] =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({
          pointer: point([...issue.path, key]),
          code: issue.code,
          detail: 'There is no such member.',
        }))
      : [{ pointer: point(issue.path), code: issue.code ?? 'invalid', detail: issue.message }],
  );
  return { ok: false, errors: errors.slice(0, ERRORS_MAX) };
}

function escapeToken(token: string): string {
  return token.replaceAll('~', '~0').replaceAll('/', '~1');
}
