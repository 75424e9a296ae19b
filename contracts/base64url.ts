/** Base64url without padding (RFC 4648 §5, RFC 7515 §2), read strictly: bytes have one text, and no other is accepted. */

const FORM = /^[A-Za-z0-9_-]*$/;

/** null: not base64url, padded, or with bits left over. */
export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | null {
  if (!FORM.test(text) || text.length % 4 === 1) return null;
  const base64 = text.replaceAll('-', '+').replaceAll('_', '/');
  const binary = atob(base64);
  if (btoa(binary).replaceAll('=', '') !== base64) return null;
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}
