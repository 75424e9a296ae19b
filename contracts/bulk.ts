/**
 * `POST /v1/transactions/bulk`: many earns and burns in one request, a line of JSON each (NDJSON), an outcome per line.
 *
 * A body is cut into lines here, once, for edge and core: UTF-8, a line ends with LF or CRLF, the last end may be missing.
 * What stands in a line is nobody's business here: a bad line is refused by itself, and the others go on.
 */
import * as z from 'zod';
import * as fields from './fields.ts';
import { limits } from './limits.ts';
import { type FieldError, problemSchema } from './problems.ts';
import * as wallets from './wallets.ts';

/** For people, in OpenAPI. */
export const description = [
  'Lines of JSON in, lines of JSON out (NDJSON, UTF-8, LF or CRLF): one outcome per line, in order, as they become known.',
  `At most ${limits.bulkLinesMax} lines of ${limits.bulkLineBytesMax} bytes each; ${limits.bulkLinesPerRequest} lines count as one request of the key's plan.`,
  'Each line has an `idempotency_key` of its own, and is the same request as a single one with that key.',
  'Sending the same body again resumes it: what was applied is replayed, the rest is done. An answer with fewer lines than the request broke off.',
  `Consecutive lines of one wallet with the same \`group\` (at most ${limits.bulkGroupLinesMax}) are applied all or none, and are one request under the first line's key: none of its keys can be used otherwise.`,
].join(' ');

export const kinds = ['earn', 'burn'] as const;
export type BulkKind = (typeof kinds)[number];

export const group = fields
  .text(limits.bulkGroupCharsMax)
  .describe('Consecutive lines of one wallet with the same group are applied all or none.');

export const line = z.strictObject({
  wallet_id: fields.uuid,
  kind: z.enum(kinds),
  ...wallets.post.shape,
  idempotency_key: z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'is not 1 to 255 printable ASCII characters without spaces')
    .describe('As the header of a single request. The two share their keys: a line can be sent again as one.'),
  group: group.optional(),
});
export type BulkLine = z.infer<typeof line>;

export const outcome = z
  .strictObject({
    index: z
      .int()
      .min(0)
      .max(limits.bulkLinesMax - 1)
      .describe('Which line of the request, from 0. Outcomes come in the order of the lines.'),
    status: z.int().min(201).max(599).describe('What a single request would have been answered with.'),
    replayed: z.literal(true).optional().describe('The outcome is that of an earlier request with this key.'),
    transaction: wallets.transaction.optional(),
    problem: problemSchema.optional(),
  })
  .describe('With a `transaction` when it was applied, with a `problem` when it was refused.');
export type BulkOutcome = z.infer<typeof outcome>;

export type BulkCut =
  | { readonly ok: true; readonly lines: readonly string[] }
  | {
      readonly ok: false;
      readonly code: 'invalid_json' | 'invalid_request' | 'payload_too_large';
      readonly detail: string;
      readonly errors?: readonly FieldError[];
    };

const LF = 0x0a;
const CR = 0x0d;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Cuts a body into its lines, without their ends. What is refused here refuses the whole request. */
export function cutLines(bytes: Uint8Array): BulkCut {
  if (bytes.length === 0) return { ok: false, code: 'invalid_request', detail: 'The body has no line.' };
  const lines: string[] = [];
  for (let start = 0; start < bytes.length; ) {
    if (lines.length === limits.bulkLinesMax) {
      return tooLarge(`A request has at most ${limits.bulkLinesMax} lines.`);
    }
    const found = bytes.indexOf(LF, start);
    const next = found < 0 ? bytes.length : found + 1;
    let end = found < 0 ? bytes.length : found;
    if (end > start && bytes[end - 1] === CR) end--;
    if (end - start > limits.bulkLineBytesMax) {
      return tooLarge(`Line ${lines.length} has more than ${limits.bulkLineBytesMax} bytes.`);
    }
    const text = decode(bytes.subarray(start, end));
    if (text === null) return notUtf8(lines.length);
    lines.push(text);
    start = next;
  }
  return { ok: true, lines };
}

function decode(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    if (cause instanceof TypeError) return null;
    throw cause;
  }
}

function tooLarge(detail: string): BulkCut {
  return { ok: false, code: 'payload_too_large', detail };
}

function notUtf8(index: number): BulkCut {
  const detail = `Line ${index} is not valid UTF-8.`;
  return { ok: false, code: 'invalid_json', detail, errors: [{ pointer: '', code: 'invalid_utf8', detail }] };
}
