/** Our HMAC is node's, whatever the key and the message. */
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HmacSha256 } from './hmac.ts';

const codeOf = (secret: Uint8Array, message: string) => createHmac('sha256', secret).update(message).digest();

describe('HMAC-SHA-256', () => {
  it("verifies what node's own makes, one message after the other", () => {
    const secrets = fc.uint8Array({ minLength: 1, maxLength: 130 });
    const messages = fc.array(fc.string({ unit: 'grapheme', maxLength: 300 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(secrets, messages, (secret, texts) => {
        const hmac = new HmacSha256(secret, 64);
        for (const text of texts) assert.equal(hmac.verifies(text, codeOf(secret, text)), true);
      }),
    );
  });

  it('verifies nothing else: another message, another key, one bit, another length', () => {
    const secret = randomBytes(32);
    const hmac = new HmacSha256(secret);
    const code = codeOf(secret, 'message');
    assert.equal(hmac.verifies('message', code), true);
    assert.equal(hmac.verifies('massage', code), false);
    assert.equal(new HmacSha256(randomBytes(32)).verifies('message', code), false);
    assert.equal(hmac.verifies('message', code.subarray(0, 31)), false);
    assert.equal(hmac.verifies('message', Buffer.concat([code, Buffer.alloc(1)])), false);
    for (let bit = 0; bit < 256; bit++) {
      const other = Buffer.from(code);
      other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7));
      assert.equal(hmac.verifies('message', other), false, `bit ${bit}`);
    }
  });
});
