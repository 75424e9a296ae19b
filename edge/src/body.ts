/**
 * Step ①g: reads the body, at most as much as is allowed whatever its Content-Length says, and validates it by the
 * route's schema: strict JSON first (RFC 8259, RFC 7493; contracts/json.ts), then the shape.
 *
 * The bytes go on exactly as they came: core reads them again, and the signature covers them.
 */
import { limits, type Route, readJson, validate } from '@local-plus/contracts';
import { refuse, type Step } from './exchange.ts';

export function readBody(route: Pick<Route, 'body'>): Step {
  return async (exchange) => {
    const bytes = await readBounded(exchange.request.body, limits.bodyBytesMax);
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

/** All of the stream, or null as soon as it is longer than `bytesMax`; the rest is then not read. */
export async function readBounded(
  stream: ReadableStream | null,
  bytesMax: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  if (stream === null) return new Uint8Array();
  const reader = stream.getReader();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for (;;) {
    const { value } = (await reader.read()) as { readonly value?: Uint8Array<ArrayBuffer> };
    if (value === undefined) break;
    length += value.length;
    if (length > bytesMax) {
      await reader.cancel();
      return null;
    }
    chunks.push(value);
  }
  const [only] = chunks;
  return chunks.length === 1 && only ? only : join(chunks, length);
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
