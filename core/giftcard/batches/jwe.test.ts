/** What is encrypted to a merchant's key can be read with it, by what was written from the RFCs, and by nothing else. */
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { giftcardBatches } from '@local-plus/contracts';
import { decryptLine } from '../../../deploy/tools/jwe.ts';
import { concatKdf, JweRecipient } from './jwe.ts';

function pair() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, jwk: giftcardBatches.publicKey.parse(publicKey.export({ format: 'jwk' })) };
}

function recipientOf(jwk: giftcardBatches.PublicKey): JweRecipient {
  const recipient = JweRecipient.of(jwk);
  assert.ok(recipient);
  return recipient;
}

describe('a line', () => {
  it('derives its key as RFC 7518, appendix C, does', () => {
    const alice = {
      kty: 'EC',
      crv: 'P-256',
      x: 'gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0',
      y: 'SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps',
      d: '0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo',
    };
    const bob = {
      kty: 'EC',
      crv: 'P-256',
      x: 'weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ',
      y: 'e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck',
    };
    const secret = diffieHellman({
      privateKey: createPrivateKey({ key: alice, format: 'jwk' }),
      publicKey: createPublicKey({ key: bob, format: 'jwk' }),
    });
    assert.equal(concatKdf(secret, 'A128GCM', 'Alice', 'Bob', 128).toString('base64url'), 'VqqN6vgjbSBcIijNcacQGg');
  });

  it('is read with the private key, and each has an ephemeral key of its own', () => {
    const { privateKey, jwk } = pair();
    const recipient = recipientOf({ ...jwk, kid: 'cards 2027' });
    const lines = ['one', 'two – é', ''].map((text) => recipient.encrypt(text));
    assert.deepEqual(
      lines.map((line) => decryptLine(JSON.stringify(line), privateKey)),
      ['one', 'two – é', ''],
    );
    const headers = lines.map((line) => JSON.parse(Buffer.from(line.protected, 'base64url').toString()));
    assert.equal(new Set(headers.map(({ epk }) => epk.x)).size, 3);
    const { epk, ...header } = headers[0];
    assert.deepEqual([header, epk.kty], [{ alg: 'ECDH-ES', enc: 'A256GCM', kid: 'cards 2027' }, 'EC']);
  });

  it('is not read with another key, nor when a byte of it was changed', () => {
    const { privateKey, jwk } = pair();
    const line = recipientOf(jwk).encrypt('secret');
    assert.throws(() => decryptLine(JSON.stringify(line), pair().privateKey));
    for (const member of ['protected', 'iv', 'ciphertext', 'tag'] as const) {
      const bytes = Buffer.from(line[member], 'base64url');
      bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
      const changed = JSON.stringify({ ...line, [member]: bytes.toString('base64url') });
      assert.throws(() => decryptLine(changed, privateKey), member);
    }
    const short = JSON.stringify({ ...line, tag: line.tag.slice(0, 6) });
    assert.throws(() => decryptLine(short, privateKey), 'a tag that is cut off');
  });

  it('is not made for a point that is not on the curve', () => {
    const { jwk } = pair();
    assert.equal(JweRecipient.of({ ...jwk, x: 'A'.repeat(43) }), null);
    assert.equal(JweRecipient.of({ ...jwk, x: 'A'.repeat(43), y: 'A'.repeat(43) }), null);
  });
});
