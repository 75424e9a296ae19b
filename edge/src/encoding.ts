/** Bytes as text: lower-case hex, and base64url without padding (RFC 4648 §5). */

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
/** By a table and not by `btoa`, whose text would have to be rewritten: each request's signature goes through here. */
const codeOf = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_', (sign) =>
  sign.charCodeAt(0),
);
const utf8 = new TextEncoder();

export function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += hexOfByte[byte];
  return text;
}

export function base64Url(bytes: Uint8Array): string {
  const codes: number[] = [];
  const { length } = bytes;
  for (let at = 0; at < length; at += 3) {
    const bits = ((bytes[at] as number) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    codes.push(codeOf[bits >>> 18] as number, codeOf[(bits >>> 12) & 63] as number);
    if (at + 1 < length) codes.push(codeOf[(bits >>> 6) & 63] as number);
    if (at + 2 < length) codes.push(codeOf[bits & 63] as number);
  }
  return String.fromCharCode(...codes);
}

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return utf8.encode(text) as Uint8Array<ArrayBuffer>;
}

export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}
