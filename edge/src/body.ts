/**
 * Step ①g: reads the body, at most as much as is allowed whatever its Content-Length says, and validates it by the
 * route's schema: strict JSON first (RFC 8259, RFC 7493; contracts/json.ts), then the shape.
 *
 * The bytes go on exactly as they came: core reads them again, and the signature covers them.
 */
import { bodyRules, bulk, limits, type Route, readJson, validate } from '@local-plus/contracts';
import { refuse, type Step } from './exchange.ts';

export function readBody(route: Pick<Route, 'body'>): Step {
  return async (exchange) => {
    const bytes = await readBounded(
      exchange.request.body,
      limits.bodyBytesMax,
      declaredLength(exchange.request.headers),
    );
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
export function readLines(route: Pick<Route, 'format'>): Step {
  const { bytesMax } = bodyRules[route.format ?? 'json'];
  return async (exchange) => {
    const bytes = await readBounded(exchange.request.body, bytesMax, declaredLength(exchange.request.headers));
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

/**
 * All of the stream, or null as soon as it is longer than `bytesMax`; the rest is then not read. Throws
 * {@link BrokenBody}.
 *
 * @param declared the length by the framing; null: it came in chunks. Who has it all is not asked once more.
 */
export async function readBounded(
  stream: ReadableStream | null,
  bytesMax: number,
  declared: number | null = null,
): Promise<Uint8Array<ArrayBuffer> | null> {
  if (stream === null) return new Uint8Array();
  const reader = stream.getReader();
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
