/**
 * UUID → a few words, of so many ids at most, outside of the heap: what is remembered costs the collector nothing, and no
 * more memory than was used of it.
 *
 * Two sets of eight places for each id, found by its bits: it goes where more of them are free, and when none is, whoever was
 * put there first makes room. So it forgets, now and then before it is full: only for what can be learned again.
 *
 * What is compared stands apart from the records: a set is 64 bytes, so that of a table that fits into no cache two or three
 * lines are read, not one for each place.
 */
import { Buffer } from 'node:buffer';

const WAYS = 8;
const ID_WORDS = 4;
/** Of a place, in the sets: when it was taken, counted in takings (0: it is free), and the last word of the id, which differs most. */
const STAMP = 0;
const LAST_WORD = 1;
const PLACE_WORDS = 2;
const SET_WORDS = WAYS * PLACE_WORDS;
/** The other words of the id stand before the record. */
const RECORD = ID_WORDS - 1;
/** Any odd number whose bits are mixed: 2^32 divided by the golden ratio. */
const MIX = 0x9e3779b1;
const STAMP_MAX = 2 ** 32 - 1;

const ID_CHARS = 36;
const DASH = '-'.charCodeAt(0);

const nibbles = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit++) nibbles[digit.toString(16).charCodeAt(0)] = digit;
/** The characters of the id that is read: one call copies them, whatever kind of string it is, where each `charCodeAt` would ask for that. */
const chars = Buffer.alloc(ID_CHARS);

export class UuidTable {
  readonly #recordWords: number;
  /** One less than a power of two. */
  readonly #setMask: number;
  readonly #asked = new Uint32Array(ID_WORDS);
  /** Where the two sets of the id begin that was asked for. */
  #one = 0;
  #other = 0;
  /** Of the set that was looked through last. */
  #free = 0;
  #sets = new Uint32Array(0);
  /** Where the records stand, in the order of their places; empty until there is one. */
  words = new Uint32Array(0);
  /** The same memory. */
  floats = new Float64Array(0);
  bytes = Buffer.alloc(0);
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
    this.#recordWords = RECORD + recordWords;
    this.#setMask = places / WAYS - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** The place of the id's record in {@link words}; −1: it has none. @param id canonical, or in Latin-1 at least */
  find(id: string): number {
    if (this.#size === 0 || !readUuid(id, this.#asked)) return -1;
    const place = this.#placeOfAsked();
    return place < 0 ? -1 : this.#recordOf(place);
  }

  /** The place for the id's record, which it may have had before; all that stands there is to be written. −1: it is no canonical UUID. */
  take(id: string): number {
    if (!readUuid(id, this.#asked)) return -1;
    if (this.words.length === 0) this.#allocate();
    let place = this.#placeOfAsked();
    if (place < 0) place = this.#takeOldest();
    this.#stamp = this.#stamp === STAMP_MAX ? 1 : this.#stamp + 1;
    this.#sets[place + STAMP] = this.#stamp;
    return this.#recordOf(place);
  }

  /** @param record as {@link find} gave it */
  free(record: number): void {
    this.#sets[((record - RECORD) / this.#recordWords) * PLACE_WORDS + STAMP] = 0;
    this.#size--;
  }

  /** Gives its memory back. */
  clear(): void {
    this.#sets = new Uint32Array(0);
    this.words = new Uint32Array(0);
    this.floats = new Float64Array(0);
    this.bytes = Buffer.alloc(0);
    this.#size = 0;
  }

  #allocate(): void {
    const places = (this.#setMask + 1) * WAYS;
    const memory = new ArrayBuffer(places * this.#recordWords * 4);
    this.#sets = new Uint32Array(places * PLACE_WORDS);
    this.words = new Uint32Array(memory);
    this.floats = new Float64Array(memory);
    this.bytes = Buffer.from(memory);
  }

  #recordOf(place: number): number {
    return (place / PLACE_WORDS) * this.#recordWords + RECORD;
  }

  /** Where its place begins in the sets; −1: nowhere. */
  #placeOfAsked(): number {
    let mixed = 0;
    for (const word of this.#asked) {
      mixed = Math.imul(mixed ^ word, MIX);
      mixed ^= mixed >>> 15;
    }
    this.#one = (mixed & this.#setMask) * SET_WORDS;
    mixed = Math.imul(mixed, MIX);
    this.#other = ((mixed ^ (mixed >>> 15)) & this.#setMask) * SET_WORDS;
    const place = this.#placeIn(this.#one);
    return place < 0 ? this.#placeIn(this.#other) : place;
  }

  #placeIn(set: number): number {
    const last = this.#asked[RECORD] as number;
    for (let place = set; place < set + SET_WORDS; place += PLACE_WORDS) {
      const isTaken = this.#sets[place + STAMP] !== 0;
      if (isTaken && this.#sets[place + LAST_WORD] === last && this.#isAskedBefore(this.#recordOf(place))) return place;
    }
    return -1;
  }

  #isAskedBefore(record: number): boolean {
    const { words } = this;
    const asked = this.#asked;
    for (let word = 0; word < RECORD; word++) if (words[record - RECORD + word] !== asked[word]) return false;
    return true;
  }

  /** For the id that was asked for: a free place in the emptier of its two sets, or the place that was taken first. */
  #takeOldest(): number {
    const sets = this.#sets;
    const one = this.#oldestIn(this.#one);
    const freeInOne = this.#free;
    const other = this.#oldestIn(this.#other);
    const isOlder = (sets[other + STAMP] as number) < (sets[one + STAMP] as number);
    const place = this.#free > freeInOne || (this.#free === freeInOne && isOlder) ? other : one;
    if (sets[place + STAMP] === 0) this.#size++;
    const id = this.#recordOf(place) - RECORD;
    for (let word = 0; word < RECORD; word++) this.words[id + word] = this.#asked[word] as number;
    sets[place + LAST_WORD] = this.#asked[RECORD] as number;
    return place;
  }

  /** A free place counts as the oldest; says how many are free, too. */
  #oldestIn(set: number): number {
    const sets = this.#sets;
    let oldest = set;
    let free = 0;
    for (let place = set; place < set + SET_WORDS; place += PLACE_WORDS) {
      const stamp = sets[place + STAMP] as number;
      if (stamp === 0) free++;
      if (stamp < (sets[oldest + STAMP] as number)) oldest = place;
    }
    this.#free = free;
    return oldest;
  }
}

/** False: it is no canonical UUID. */
function readUuid(id: string, target: Uint32Array): boolean {
  if (id.length !== ID_CHARS) return false;
  chars.write(id, 'latin1');
  if (chars[8] !== DASH || chars[13] !== DASH || chars[18] !== DASH || chars[23] !== DASH) return false;
  const a = hex4(0);
  const b = hex4(4);
  const c = hex4(9);
  const d = hex4(14);
  const e = hex4(19);
  const f = hex4(24);
  const g = hex4(28);
  const h = hex4(32);
  if ((a | b | c | d | e | f | g | h) < 0) return false;
  target[0] = (a << 16) | b;
  target[1] = (c << 16) | d;
  target[2] = (e << 16) | f;
  target[3] = (g << 16) | h;
  return true;
}

/** Four lower-case digits; negative: they are none. */
function hex4(at: number): number {
  return (nibble(at) << 12) | (nibble(at + 1) << 8) | (nibble(at + 2) << 4) | nibble(at + 3);
}

function nibble(at: number): number {
  return nibbles[chars[at] as number] as number;
}
