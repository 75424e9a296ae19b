/**
 * Step ①g: reads the body and validates it by the route's schema: strict JSON first (RFC 8259, RFC 7493;
 * contracts/json.ts), then the shape.
 *
 * A body of declared length (framing.ts has refused the lengths that are too large) is read by the platform in one go,
 * where it can: its HTTP takes no byte more for the body than was declared (RFC 9112 §6.3, RFC 9113 §8.1.1). Any other is
 * read piece by piece, and no further than is allowed. Either way more than is allowed is refused.
 *
 * The bytes go on exactly as they came: core reads them again, and the signature covers them.
 *
 * A body has so much time that there is enough left to forward it; then the answer is 408, and core was asked nothing.
 */
import { type BodyRules, bodyRules, bulk, limits, type Route, readJson, validate } from '@local-plus/contracts';
import { withDeadline } from './deadline.ts';
import { type Exchange, refuse, type Step } from './exchange.ts';
import { edgeLimits } from './limits.ts';

export function readBody(route: Pick<Route, 'body'>, steadyMs: () => number): Step {
  return async (exchange) => {
    const bytes = await readInTime(exchange, bodyRules.json, steadyMs());
    if (bytes === null) return refuse(exchange, 'payload_too_large');
    if (route.body === null) {
      return bytes.length === 0
        ? undefined
        : refuse(exchange, 'invalid_request', { detail: 'This request has no body.' });
    }
    const reading = readJson(bytes);
    if (!reading.ok) return refuse(exchange, 'invalid_json', { errors: [reading.error] });
    const validation = validate(route.body, reading.value);
    if (!validation.ok) return refuse(exchange, 'invalid_request', { errors: validation.errors });
    exchange.body = bytes;
    return undefined;
  };
}

/**
 * Reads a body of lines, and cuts it: UTF-8, not too many, none too long. What stands in them is core's to judge, line by
 * line; here they are only counted, for the plan of the key.
 */
export function readLines(route: Pick<Route, 'format'>, steadyMs: () => number): Step {
  const rules = bodyRules[route.format ?? 'json'];
  return async (exchange) => {
    const bytes = await readInTime(exchange, rules, steadyMs());
    if (bytes === null) return refuse(exchange, 'payload_too_large');
    const cut = bulk.cutLines(bytes);
    if (!cut.ok) return refuse(exchange, cut.code, cut);
    exchange.body = bytes;
    exchange.costsRequests = Math.ceil(cut.lines.length / limits.bulkLinesPerRequest);
    return undefined;
  };
}

/** A body that ended before its end, or whose chunks are none (RFC 9112 §7.1, §8): the caller's doing, or its absence. */
export class BrokenBody extends Error {}

/** A body of which there is no end in time. */
export class LateBody extends Error {}

/** All of it, or null when it is longer than is allowed. Errors: {@link BrokenBody}, {@link LateBody}. */
function readInTime(
  { request, headers, startedAtMs }: Exchange,
  { bytesMax, budgetMs }: BodyRules,
  steadyMs: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const leftMs = Math.max(budgetMs - edgeLimits.forwardBudgetMsMin - (steadyMs - startedAtMs), 0);
  const declared = declaredLength(headers);
  if (declared === null || request.arrayBuffer === undefined) {
    return readBounded(request.body, bytesMax, declared, leftMs);
  }
  // Nobody can cancel it in time: whoever answers ends the request, and with it the reading.
  return withDeadline(leftMs, readWhole(request.arrayBuffer(), bytesMax), () => tooLate(leftMs));
}

async function readWhole(reading: Promise<ArrayBuffer>, bytesMax: number): Promise<Uint8Array<ArrayBuffer> | null> {
  try {
    const bytes = new Uint8Array(await reading);
    return bytes.length > bytesMax ? null : bytes;
  } catch (cause) {
    throw new BrokenBody('the body broke off', { cause });
  }
}

function tooLate(budgetMs: number): never {
  throw new LateBody(`the body took more than ${budgetMs} ms`);
}

/**
 * All of the stream, or null as soon as it is longer than `bytesMax`; the rest is then not read. Throws
 * {@link BrokenBody} and {@link LateBody}.
 *
 * @param declared the length by the framing; null: it came in chunks. Who has it all is not asked once more.
 * @param budgetMs how long it may take; null: whoever makes the stream ends it in time
 */
export async function readBounded(
  stream: ReadableStream | null,
  bytesMax: number,
  declared: number | null = null,
  budgetMs: number | null = null,
): Promise<Uint8Array<ArrayBuffer> | null> {
  if (stream === null) return new Uint8Array();
  const reader = stream.getReader();
  const reading = readAll(reader, bytesMax, declared);
  if (budgetMs === null) return reading;
  return withDeadline(budgetMs, reading, () => {
    // Not waited for, and of no interest: a stream that gives nothing may not end either.
    reader.cancel().catch(() => undefined);
    return tooLate(budgetMs);
  });
}

async function readAll(
  reader: ReadableStreamDefaultReader,
  bytesMax: number,
  declared: number | null,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for (;;) {
    const { value } = await readPiece(reader);
    if (value === undefined) break;
    length += value.length;
    if (length > bytesMax) {
      await reader.cancel();
      return null;
    }
    chunks.push(value);
    if (length === declared) break;
  }
  const [only] = chunks;
  return chunks.length === 1 && only ? only : join(chunks, length);
}

/** framing.ts has checked it. */
function declaredLength(headers: Headers): number | null {
  const length = headers.get('content-length');
  return length === null ? null : Number(length);
}

async function readPiece(reader: ReadableStreamDefaultReader): Promise<{ readonly value?: Uint8Array<ArrayBuffer> }> {
  try {
    return (await reader.read()) as { readonly value?: Uint8Array<ArrayBuffer> };
  } catch (cause) {
    throw new BrokenBody('the body broke off', { cause });
  }
}

function join(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
