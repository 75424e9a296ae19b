/**
 * Encryption to a merchant's key: JWE (RFC 7516) with ECDH-ES on P-256 and A256GCM (RFC 7518 §4.6, §5.3), as flattened JSON.
 *
 * Each line has an ephemeral key of its own, so that lines are read by themselves, in any order, by any JOSE library; and a key
 * of this process opens none of them. Pure, but for randomness.
 */
import { createCipheriv, createECDH, createHash, createPublicKey, type ECDH, randomBytes } from 'node:crypto';
import type { giftcardBatches } from '@local-plus/contracts';

const CURVE = 'prime256v1';
const COORDINATE_BYTES = 32;
const IV_BYTES = 12;
const KEY_BITS = 256;
const ENCRYPTION = 'A256GCM';

export class JweRecipient {
  readonly #point: Buffer;
  readonly #kid: string | undefined;

  private constructor(point: Buffer, kid: string | undefined) {
    this.#point = point;
    this.#kid = kid;
  }

  /** null: the point is not on the curve. */
  static of({ kty, crv, x, y, kid }: giftcardBatches.PublicKey): JweRecipient | null {
    try {
      createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' });
    } catch {
      return null;
    }
    const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
    return new JweRecipient(point, kid);
  }

  encrypt(plaintext: string): giftcardBatches.FileLine {
    const ephemeral = createECDH(CURVE);
    const epk = publicJwk(ephemeral);
    const header = { alg: 'ECDH-ES', enc: ENCRYPTION, ...(this.#kid === undefined ? {} : { kid: this.#kid }), epk };
    const encodedHeader = Buffer.from(JSON.stringify(header)).toString('base64url');
    const key = concatKdf(ephemeral.computeSecret(this.#point), ENCRYPTION, '', '', KEY_BITS);
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(encodedHeader, 'ascii'));
    const ciphertext = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
    return {
      protected: encodedHeader,
      iv: iv.toString('base64url'),
      ciphertext: ciphertext.toString('base64url'),
      tag: cipher.getAuthTag().toString('base64url'),
    };
  }
}

/** Of a new pair. */
function publicJwk(ecdh: ECDH): { kty: 'EC'; crv: 'P-256'; x: string; y: string } {
  const point = ecdh.generateKeys();
  const x = point.subarray(1, 1 + COORDINATE_BYTES).toString('base64url');
  return { kty: 'EC', crv: 'P-256', x, y: point.subarray(1 + COORDINATE_BYTES).toString('base64url') };
}

/** NIST SP 800-56A §5.8.1 with SHA-256, as RFC 7518 §4.6.2 has it; one round: up to 256 bits. */
export function concatKdf(secret: Buffer, algorithm: string, apu: string, apv: string, bits: number): Buffer {
  const round = uint32(1);
  const info = [algorithm, apu, apv].flatMap((text) => [uint32(Buffer.byteLength(text)), Buffer.from(text)]);
  const digest = createHash('sha256')
    .update(Buffer.concat([round, secret, ...info, uint32(bits)]))
    .digest();
  return digest.subarray(0, bits / 8);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
