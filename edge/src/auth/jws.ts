/**
 * A signed token's form: three parts, a header that is one of ours, a payload that is an object. Pure; nothing that is
 * read here is true before the signature was verified.
 *
 * RFC 7515 §7.1 (compact serialisation), §4.1.11 (`crit`: nothing is understood, so it must be absent); RFC 7519 §7.2;
 * RFC 8725 §3.11 (`typ` is required, so that no other kind of token passes for one); RFC 9068 §2.1 (`at+jwt`). The
 * header's own keys and addresses of keys (`jwk`, `jku`, `x5u`) are not even looked at: RFC 8725 §3.10.
 */
import { fromBase64Url, type JsonValue, readJson } from '@local-plus/contracts';
import { bytesOf } from '../encoding.ts';
import { edgeLimits } from '../limits.ts';
import { type Algorithm, algorithms } from './algorithms.ts';

export type Members = Readonly<Record<string, JsonValue>>;

export interface ParsedToken {
  readonly algorithm: Algorithm;
  readonly kid: string;
  readonly payload: Members;
  readonly signature: Uint8Array<ArrayBuffer>;
  /** What the signature covers. */
  readonly input: Uint8Array<ArrayBuffer>;
}

const types: ReadonlySet<string> = new Set(['jwt', 'at+jwt', 'application/at+jwt']);

export function parseToken(text: string): ParsedToken | null {
  if (text.length > edgeLimits.tokenBytesMax) return null;
  const parts = text.split('.');
  if (parts.length !== 3) return null;
  const [header, payload, signature] = parts.map(fromBase64Url);
  const [head, claims] = [membersOf(header), membersOf(payload)];
  if (!head || !claims || !signature || signature.length === 0) return null;
  const algorithm = algorithms.find((known) => known === head['alg']);
  const { kid, typ } = head;
  if (algorithm === undefined || typeof kid !== 'string' || typeof typ !== 'string') return null;
  if (!types.has(typ.toLowerCase()) || Object.hasOwn(head, 'crit')) return null;
  return { algorithm, kid, payload: claims, signature, input: bytesOf(text.slice(0, text.lastIndexOf('.'))) };
}

function membersOf(bytes: Uint8Array | null | undefined): Members | null {
  if (!bytes) return null;
  const reading = readJson(bytes);
  if (!reading.ok || typeof reading.value !== 'object' || Array.isArray(reading.value)) return null;
  return reading.value;
}
