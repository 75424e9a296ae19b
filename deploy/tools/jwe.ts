/**
 * Reads what was encrypted to a key of one's own: JWE (RFC 7516), flattened JSON, ECDH-ES on P-256 with A256GCM (RFC 7518).
 *
 * Written from the RFCs and not from what core writes with: each is the other's test.
 */
import { createDecipheriv, createHash, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';
import { giftcardBatches } from '@local-plus/contracts';
import { z } from 'zod';

const TAG_BYTES = 16;
const KEY_BITS = 256;

const header = z.strictObject({
  alg: z.literal('ECDH-ES'),
  enc: z.literal('A256GCM'),
  kid: z.string().optional(),
  epk: z.strictObject({ kty: z.literal('EC'), crv: z.literal('P-256'), x: z.string(), y: z.string() }),
});

/** Throws for what is no such JWE, is not for this key, or was changed. */
export function decryptLine(line: string, privateKey: KeyObject): string {
  const jwe = giftcardBatches.fileLine.parse(JSON.parse(line));
  const { epk, enc } = header.parse(JSON.parse(Buffer.from(jwe.protected, 'base64url').toString('utf8')));
  const publicKey = createPublicKey({ key: epk, format: 'jwk' });
  const key = derivedKey(diffieHellman({ privateKey, publicKey }), enc);
  const iv = Buffer.from(jwe.iv, 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(jwe.protected, 'ascii'));
  decipher.setAuthTag(Buffer.from(jwe.tag, 'base64url'));
  return decipher.update(Buffer.from(jwe.ciphertext, 'base64url'), undefined, 'utf8') + decipher.final('utf8');
}

/** RFC 7518 §4.6.2: SHA-256 over the round, the secret, the algorithm, two parties without names, and the length. */
function derivedKey(secret: Buffer, algorithm: string): Buffer {
  const digest = createHash('sha256');
  digest.update(Buffer.from([0, 0, 0, 1])).update(secret);
  digest.update(Buffer.from([0, 0, 0, algorithm.length])).update(algorithm, 'ascii');
  digest.update(Buffer.alloc(8)).update(Buffer.from([0, 0, KEY_BITS >> 8, KEY_BITS & 0xff]));
  return digest.digest();
}
