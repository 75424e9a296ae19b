/** SipHash-2-4 with 128 bits, against the vectors of the authors' reference code (`vectors_sip128`). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hex, sha256 } from './encoding.ts';
import { type SipKey, sipHash128 } from './siphash.ts';

/** Bytes 00 to 0f. */
const key: SipKey = [0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c];
/** Bytes 00, 01, 02, … */
const ascending = (length: number): string => String.fromCharCode(...Array.from({ length }, (_, byte) => byte));

function bytesOfTag(tag: string): Uint8Array<ArrayBuffer> {
  const codes = Array.from(tag.split(''), (sign) => sign.charCodeAt(0));
  return Uint8Array.from(codes.flatMap((code) => [code & 0xff, code >>> 8]));
}

const tagOf = (length: number): Uint8Array<ArrayBuffer> => bytesOfTag(sipHash128(key, ascending(length)));

describe('SipHash-2-4-128', () => {
  const vectors: readonly (readonly [number, string])[] = [
    [0, 'a3817f04ba25a8e66df67214c7550293'],
    [1, 'da87c1d86b99af44347659119b22fc45'],
    [7, 'a1f1ebbed8dbc153c0b84aa61ff08239'],
    [8, '3b62a9ba6258f5610f83e264f31497b4'],
    [9, '264499060ad9baabc47f8b02bb6d71ed'],
    [16, '6ee2a4ca67b054bbfd3315bf85230577'],
    [63, '5150d1772f50834a503e069a973fbd7c'],
  ];
  for (const [length, tag] of vectors) {
    it(`of ${length} bytes is the reference's`, () => assert.equal(hex(tagOf(length)), tag));
  }

  it('is the reference’s for all 64 lengths, one after the other', async () => {
    const tags = Array.from({ length: 64 }, (_, length) => [...tagOf(length)]).flat();
    // SHA-256 of the table; the same from `openssl mac -macopt size:16 … SipHash`.
    const table = 'ecfaa9fe47ff788fa834a9863ea2715a2880cd37d2b8c3c194402838428119b9';
    assert.equal(hex(await sha256(Uint8Array.from(tags))), table);
  });

  it('depends on every word of the key', () => {
    const tags = key.map((_, at) =>
      sipHash128(key.map((word, n) => (n === at ? word ^ 1 : word)) as unknown as SipKey, 'text'),
    );
    assert.equal(new Set([...tags, sipHash128(key, 'text')]).size, 5);
  });
});
