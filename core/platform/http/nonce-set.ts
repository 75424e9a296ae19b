/**
 * A set of nonces that only grows, kept outside of the heap: what is remembered for a minute costs the collector nothing.
 *
 * Open addressing over one array of words: a slot is the 32 bytes of a nonce, filled up with zeros. At most half of the slots
 * are taken, so a free one is always near. Only what was signed is added: no stranger can make its nonces meet.
 */

/** What contracts/signature.ts allows, and what a slot has room for. */
const CHARS_MAX = 32;
const SLOT_WORDS = CHARS_MAX / 4;
const SLOTS_MIN = 1_024;
/** Any odd number whose bits are mixed: 2^32 divided by the golden ratio. */
const MIX = 0x9e3779b1;

export class NonceSet {
  /** The nonce that is asked for. */
  readonly #asked = new Uint32Array(SLOT_WORDS);
  readonly #askedText = Buffer.from(this.#asked.buffer);
  #slots: Uint32Array;
  #size = 0;

  /** @param expected so many find room without a copy */
  constructor(expected = 0) {
    let slots = SLOTS_MIN;
    while (slots < expected * 2) slots *= 2;
    this.#slots = new Uint32Array(slots * SLOT_WORDS);
  }

  get size(): number {
    return this.#size;
  }

  has(nonce: string): boolean {
    this.#ask(nonce);
    return this.#slots[place(this.#slots, this.#asked, 0)] !== 0;
  }

  /** False: it was there. @param nonce 1 to 32 characters of ASCII, none of them NUL */
  add(nonce: string): boolean {
    this.#ask(nonce);
    if (this.#size * 2 >= this.#slots.length / SLOT_WORDS) this.#grow();
    const at = place(this.#slots, this.#asked, 0);
    if (this.#slots[at] !== 0) return false;
    copy(this.#asked, 0, this.#slots, at);
    this.#size++;
    return true;
  }

  #ask(nonce: string): void {
    if (nonce.length === 0 || nonce.length > CHARS_MAX) throw new Error('a nonce is of another length');
    for (let word = 0; word < SLOT_WORDS; word++) this.#asked[word] = 0;
    this.#askedText.write(nonce, 'latin1');
  }

  #grow(): void {
    const older = this.#slots;
    const slots = new Uint32Array(older.length * 2);
    for (let from = 0; from < older.length; from += SLOT_WORDS) {
      if (older[from] !== 0) copy(older, from, slots, place(slots, older, from));
    }
    this.#slots = slots;
  }
}

/** The first word of the slot that has the nonce which begins at `from`; of a free one, if none has. */
function place(slots: Uint32Array, nonces: Uint32Array, from: number): number {
  const last = slots.length - SLOT_WORDS;
  let at = (hashOf(nonces, from) * SLOT_WORDS) & last;
  while (slots[at] !== 0 && !isSame(slots, at, nonces, from)) at = (at + SLOT_WORDS) & last;
  return at;
}

function hashOf(nonces: Uint32Array, from: number): number {
  let mixed = 0;
  for (let word = 0; word < SLOT_WORDS; word++) mixed = Math.imul(mixed ^ (nonces[from + word] as number), MIX);
  return mixed ^ (mixed >>> 15);
}

function isSame(slots: Uint32Array, at: number, nonces: Uint32Array, from: number): boolean {
  for (let word = 0; word < SLOT_WORDS; word++) {
    if (slots[at + word] !== nonces[from + word]) return false;
  }
  return true;
}

function copy(source: Uint32Array, from: number, target: Uint32Array, at: number): void {
  for (let word = 0; word < SLOT_WORDS; word++) target[at + word] = source[from + word] as number;
}
