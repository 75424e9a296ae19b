/**
 * UUID → a few words, of so many ids at most, outside of the heap: what is remembered costs the collector nothing, and no
 * more memory than was used of it.
 *
 * Two sets of eight places for each id, found by its bits; when all are taken the one that was put there first makes room. So
 * it forgets, now and then before it is full (of what fills three quarters, 1 %): only for what can be learned again.
 */
import { hex16 } from '@local-plus/contracts';

const WAYS = 8;
const ID_WORDS = 4;
/** Where the stamp stands: when the place was taken, counted in takings; 0: it is free. */
const STAMP = ID_WORDS;
const RECORD = STAMP + 1;
/** Any odd number whose bits are mixed: 2^32 divided by the golden ratio. */
const MIX = 0x9e3779b1;
const STAMP_MAX = 2 ** 32 - 1;

const nibbles = new Int8Array(128).fill(-1);
for (let digit = 0; digit < 16; digit++) nibbles[digit.toString(16).charCodeAt(0)] = digit;

export class UuidTable {
  readonly #slotWords: number;
  /** Of words; one less than a power of two. */
  readonly #setMask: number;
  readonly #asked = new Uint32Array(ID_WORDS);
  /** Where the two sets of the id begin that was asked for. */
  #one = 0;
  #other = 0;
  /** Where the records stand; empty until there is one. */
  words = new Uint32Array(0);
  /** The same memory. */
  floats = new Float64Array(0);
  #stamp = 0;
  #size = 0;

  /**
   * @param places from 8 on, a power of two
   * @param recordWords an odd number, so that the floats of a record stand at whole places
   */
  constructor(places: number, recordWords: number) {
    if (places < WAYS || !Number.isInteger(Math.log2(places)))
      throw new RangeError('places are a power of two from 8 on');
    if (recordWords % 2 !== 1) throw new RangeError('a record has an odd number of words');
    this.#slotWords = RECORD + recordWords;
    this.#setMask = places / WAYS - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** The place of the id's record in {@link words}; −1: it has none. @param id canonical */
  find(id: string): number {
    if (this.#size === 0 || !readUuid(id, this.#asked)) return -1;
    const at = this.#placeOfAsked();
    return at < 0 ? -1 : at + RECORD;
  }

  /** The place for the id's record, which it may have had before; all that stands there is to be written. −1: it is no canonical UUID. */
  take(id: string): number {
    if (!readUuid(id, this.#asked)) return -1;
    if (this.words.length === 0) this.#allocate();
    const { words } = this;
    let at = this.#placeOfAsked();
    if (at < 0) {
      at = this.#oldestOf(this.#other, this.#oldestOf(this.#one, this.#one));
      if (words[at + STAMP] === 0) this.#size++;
      words.set(this.#asked, at);
    }
    this.#stamp = this.#stamp === STAMP_MAX ? 1 : this.#stamp + 1;
    words[at + STAMP] = this.#stamp;
    return at + RECORD;
  }

  /** @param record as {@link find} gave it */
  free(record: number): void {
    this.words[record - RECORD + STAMP] = 0;
    this.#size--;
  }

  /** Gives its memory back. */
  clear(): void {
    this.words = new Uint32Array(0);
    this.floats = new Float64Array(0);
    this.#size = 0;
  }

  #allocate(): void {
    const memory = new ArrayBuffer((this.#setMask + 1) * WAYS * this.#slotWords * 4);
    this.words = new Uint32Array(memory);
    this.floats = new Float64Array(memory);
  }

  /** −1: nowhere. */
  #placeOfAsked(): number {
    let mixed = 0;
    for (const word of this.#asked) {
      mixed = Math.imul(mixed ^ word, MIX);
      mixed ^= mixed >>> 15;
    }
    const setWords = WAYS * this.#slotWords;
    this.#one = (mixed & this.#setMask) * setWords;
    mixed = Math.imul(mixed, MIX);
    this.#other = ((mixed ^ (mixed >>> 15)) & this.#setMask) * setWords;
    const at = this.#placeOf(this.#one);
    return at < 0 ? this.#placeOf(this.#other) : at;
  }

  #placeOf(set: number): number {
    const { words } = this;
    for (let way = 0, at = set; way < WAYS; way++, at += this.#slotWords) {
      if (words[at + STAMP] !== 0 && isSame(words, at, this.#asked)) return at;
    }
    return -1;
  }

  /** Of the set and one more place: a free one, if there is any. */
  #oldestOf(set: number, further: number): number {
    const { words } = this;
    let oldest = further;
    for (let way = 0, at = set; way < WAYS; way++, at += this.#slotWords) {
      if ((words[at + STAMP] as number) < (words[oldest + STAMP] as number)) oldest = at;
    }
    return oldest;
  }
}

function isSame(words: Uint32Array, at: number, asked: Uint32Array): boolean {
  for (let word = 0; word < ID_WORDS; word++) if (words[at + word] !== asked[word]) return false;
  return true;
}

/** False: it is no canonical UUID. */
function readUuid(id: string, target: Uint32Array): boolean {
  if (id.length !== 36 || !hasDashes(id)) return false;
  const a = hex4(id, 0);
  const b = hex4(id, 4);
  const c = hex4(id, 9);
  const d = hex4(id, 14);
  const e = hex4(id, 19);
  const f = hex4(id, 24);
  const g = hex4(id, 28);
  const h = hex4(id, 32);
  if ((a | b | c | d | e | f | g | h) < 0) return false;
  target[0] = (a << 16) | b;
  target[1] = (c << 16) | d;
  target[2] = (e << 16) | f;
  target[3] = (g << 16) | h;
  return true;
}

function hasDashes(id: string): boolean {
  return id[8] === '-' && id[13] === '-' && id[18] === '-' && id[23] === '-';
}

/** Four lower-case digits; negative: they are none. */
function hex4(text: string, at: number): number {
  return (nibble(text, at) << 12) | (nibble(text, at + 1) << 8) | (nibble(text, at + 2) << 4) | nibble(text, at + 3);
}

function nibble(text: string, at: number): number {
  return nibbles[text.charCodeAt(at)] ?? -1;
}

/** Eight lower-case digits a word. False: the text is of another length, or something else stands in it. */
export function readHex(text: string, words: Uint32Array, at: number, count: number): boolean {
  if (text.length !== count * 8) return false;
  let all = 0;
  for (let word = 0; word < count; word++) {
    const high = hex4(text, word * 8);
    const low = hex4(text, word * 8 + 4);
    all |= high | low;
    words[at + word] = (high << 16) | low;
  }
  return all >= 0;
}

export function hexOf(words: Uint32Array, at: number, count: number): string {
  let text = '';
  for (let word = at; word < at + count; word++) {
    const value = words[word] as number;
    text += hex16(value >>> 16) + hex16(value & 0xffff);
  }
  return text;
}
