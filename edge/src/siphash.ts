/**
 * SipHash-2-4 with 128 bits of output (Aumasson, Bernstein, "SipHash: a fast short-input PRF", 2012, and the 128-bit form of
 * the authors' reference code): a keyed pseudo-random function of short texts. Who does not know the key can neither seek two
 * texts of one tag, nor learn a text from its tag.
 *
 * In JavaScript, because a call into the platform's cryptography costs ten times as much as the function itself. 64-bit
 * words are pairs of 32-bit ones, the low half first.
 */

/** 128 bits. */
export type SipKey = readonly [number, number, number, number];

const WORD_BYTES = 8;

/** The tag of an ASCII text, as eight characters of sixteen bits. */
export function sipHash128(key: SipKey, ascii: string): string {
  const [k0, k1, k2, k3] = key;
  state[0] = k0 ^ 0x70736575;
  state[1] = k1 ^ 0x736f6d65;
  state[2] = k2 ^ 0x6e646f6d ^ 0xee;
  state[3] = k3 ^ 0x646f7261;
  state[4] = k0 ^ 0x6e657261;
  state[5] = k1 ^ 0x6c796765;
  state[6] = k2 ^ 0x79746573;
  state[7] = k3 ^ 0x74656462;
  const { length } = ascii;
  const end = length - (length % WORD_BYTES);
  for (let at = 0; at < end; at += WORD_BYTES) absorb(halfAt(ascii, at, length), halfAt(ascii, at + 4, length));
  absorb(halfAt(ascii, end, length), halfAt(ascii, end + 4, length) | (length << 24));
  state[4] = (state[4] as number) ^ 0xee;
  mix(4);
  const first = folded();
  state[2] = (state[2] as number) ^ 0xdd;
  mix(4);
  return first + folded();
}

/** One at a time: nothing is awaited while it is in use. */
const state = new Int32Array(8);

/** Four characters, as far as there are any. */
function halfAt(ascii: string, at: number, length: number): number {
  if (at + 4 <= length) {
    return (
      ascii.charCodeAt(at) |
      (ascii.charCodeAt(at + 1) << 8) |
      (ascii.charCodeAt(at + 2) << 16) |
      (ascii.charCodeAt(at + 3) << 24)
    );
  }
  let half = 0;
  for (let index = at; index < length; index++) half |= ascii.charCodeAt(index) << (8 * (index - at));
  return half;
}

function absorb(low: number, high: number): void {
  state[6] = (state[6] as number) ^ low;
  state[7] = (state[7] as number) ^ high;
  mix(2);
  state[0] = (state[0] as number) ^ low;
  state[1] = (state[1] as number) ^ high;
}

/** v0 ^ v1 ^ v2 ^ v3. */
function folded(): string {
  const low = (state[0] as number) ^ (state[2] as number) ^ (state[4] as number) ^ (state[6] as number);
  const high = (state[1] as number) ^ (state[3] as number) ^ (state[5] as number) ^ (state[7] as number);
  return String.fromCharCode(low & 0xffff, low >>> 16, high & 0xffff, high >>> 16);
}

/** So many SipRounds: v0 is (a, b), v1 (c, d), v2 (e, f), v3 (g, h). */
function mix(rounds: number): void {
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  let e = state[4] as number;
  let f = state[5] as number;
  let g = state[6] as number;
  let h = state[7] as number;
  for (let round = 0; round < rounds; round++) {
    // v0 += v1; v1 <<<= 13; v1 ^= v0; v0 <<<= 32
    let sum = (a + c) | 0;
    b = (b + d + carry(sum, a)) | 0;
    let low = ((c << 13) | (d >>> 19)) ^ sum;
    d = ((d << 13) | (c >>> 19)) ^ b;
    c = low;
    a = b;
    b = sum;
    // v2 += v3; v3 <<<= 16; v3 ^= v2
    sum = (e + g) | 0;
    f = (f + h + carry(sum, e)) | 0;
    e = sum;
    low = ((g << 16) | (h >>> 16)) ^ e;
    h = ((h << 16) | (g >>> 16)) ^ f;
    g = low;
    // v0 += v3; v3 <<<= 21; v3 ^= v0
    sum = (a + g) | 0;
    b = (b + h + carry(sum, a)) | 0;
    a = sum;
    low = ((g << 21) | (h >>> 11)) ^ a;
    h = ((h << 21) | (g >>> 11)) ^ b;
    g = low;
    // v2 += v1; v1 <<<= 17; v1 ^= v2; v2 <<<= 32
    sum = (e + c) | 0;
    f = (f + d + carry(sum, e)) | 0;
    low = ((c << 17) | (d >>> 15)) ^ sum;
    d = ((d << 17) | (c >>> 15)) ^ f;
    c = low;
    e = f;
    f = sum;
  }
  state[0] = a;
  state[1] = b;
  state[2] = c;
  state[3] = d;
  state[4] = e;
  state[5] = f;
  state[6] = g;
  state[7] = h;
}

/** Of an addition of 32 bits: whether it came out smaller than what was added to. */
function carry(sum: number, addend: number): 0 | 1 {
  return sum >>> 0 < addend >>> 0 ? 1 : 0;
}
