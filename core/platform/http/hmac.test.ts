/** Our HMAC is node's, whatever the key and the message. */
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HmacSha256 } from './hmac.ts';

const noBody = new Uint8Array();
const codeOf = (secret: Uint8Array, head: string, body: Uint8Array = noBody) =>
  createHmac('sha256', secret).update(head).update(body).digest();

describe('HMAC-SHA-256', () => {
  it("verifies what node's own makes, one message after the other, of any length", () => {
    const secrets = fc.uint8Array({ minLength: 1, maxLength: 130 });
    const message = fc.tuple(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.uint8Array({ maxLength: 600 }));
    const messages = fc.array(message, { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(secrets, messages, (secret, all) => {
        const hmac = new HmacSha256(secret, 512);
        for (const [head, body] of all) {
          assert.equal(hmac.verifies(head, body, codeOf(secret, head, body).toString('base64url')), true);
        }
      }),
    );
  });

  it('verifies nothing else: another message, another key, one bit, another length', () => {
    const secret = randomBytes(32);
    const hmac = new HmacSha256(secret);
    const code = codeOf(secret, 'message');
    const verifies = (head: string, claimed: Uint8Array, body = noBody) =>
      hmac.verifies(head, body, Buffer.from(claimed).toString('base64url'));
    assert.equal(verifies('message', code), true);
    assert.equal(
      verifies('mess', code, Buffer.from('age')),
      true,
      'the code is of the bytes: who splits them says where',
    );
    assert.equal(verifies('massage', code), false);
    assert.equal(verifies('message', code, Buffer.from('s')), false);
    assert.equal(new HmacSha256(randomBytes(32)).verifies('message', noBody, code.toString('base64url')), false);
    assert.equal(verifies('message', code.subarray(0, 31)), false);
    assert.equal(verifies('message', Buffer.concat([code, Buffer.alloc(1)])), false);
    assert.equal(hmac.verifies('message', noBody, ''), false);
    for (let bit = 0; bit < 256; bit++) {
      const other = Buffer.from(code);
      other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7));
      assert.equal(verifies('message', other), false, `bit ${bit}`);
    }
  });
});
