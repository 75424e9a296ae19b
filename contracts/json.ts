/**
 * A strict reader for small JSON bodies (RFC 8259, in the spirit of I-JSON, RFC 7493).
 *
 * `JSON.parse` keeps the last of two equal members, rounds integers past 2^53, turns 1e400 into Infinity and lets
 * lone surrogates and NUL through; two parties that read such a text differently can be played against each other.
 * This reader refuses all of these, and `__proto__`, and nesting past the bound. One pass, no regular expressions.
 */
import { limits } from './limits.ts';
import type { FieldError } from './problems.ts';

export type JsonValue = null | boolean | number | string | JsonValue[] | { [member: string]: JsonValue };
export type JsonReading =
  | { readonly ok: true; readonly value: JsonValue }
  | { readonly ok: false; readonly error: FieldError };

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads UTF-8 bytes. Errors: `invalid_utf8`, and those of {@link readJsonText}. */
export function readJson(bytes: Uint8Array): JsonReading {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    return { ok: false, error: { pointer: '', code: 'invalid_utf8', detail: 'The body is not valid UTF-8.' } };
  }
  return readJsonText(text);
}

/**
 * Reads a text. Errors, with a JSON Pointer to the place: `syntax`, `too_deep`, `duplicate_member`,
 * `forbidden_member`, `number_out_of_range`, `negative_zero`, `nul`, `lone_surrogate`.
 */
export function readJsonText(text: string): JsonReading {
  const reader = new Reader(text);
  try {
    return { ok: true, value: reader.document() };
  } catch (cause) {
    if (!(cause instanceof JsonRefusal)) throw cause;
    return { ok: false, error: { pointer: cause.pointer, code: cause.code, detail: cause.message } };
  }
}

class JsonRefusal extends Error {
  readonly code: string;
  pointer = '';

  constructor(code: string, detail: string) {
    super(detail);
    this.code = code;
  }
}

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

class Reader {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): JsonValue {
    const value = this.#value();
    this.#space();
    if (this.#at < this.#text.length) throw this.#syntax();
    return value;
  }

  #syntax(): JsonRefusal {
    return new JsonRefusal('syntax', `Unexpected text at character ${this.#at}.`);
  }

  /** Skips white space and returns the next character's code, NaN at the end. */
  #space(): number {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return code;
      this.#at++;
    }
  }

  #value(): JsonValue {
    const code = this.#space();
    if (code === QUOTE) return this.#string();
    if (code === OPEN_BRACE) return this.#nested(() => this.#object());
    if (code === OPEN_BRACKET) return this.#nested(() => this.#array());
    if (code === MINUS || (code >= ZERO && code <= NINE)) return this.#number();
    if (this.#word('true')) return true;
    if (this.#word('false')) return false;
    if (this.#word('null')) return null;
    throw this.#syntax();
  }

  #word(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #nested<Value>(read: () => Value): Value {
    if (++this.#depth > limits.jsonDepthMax) {
      throw new JsonRefusal('too_deep', `Nesting is bounded at ${limits.jsonDepthMax} levels.`);
    }
    const value = read();
    this.#depth--;
    return value;
  }

  #object(): { [member: string]: JsonValue } {
    const object: { [member: string]: JsonValue } = {};
    this.#at++;
    if (this.#space() === CLOSE_BRACE) {
      this.#at++;
      return object;
    }
    for (;;) {
      if (this.#space() !== QUOTE) throw this.#syntax();
      const name = this.#string();
      if (name === '__proto__') throw at(name, new JsonRefusal('forbidden_member', 'This member name is not allowed.'));
      if (Object.hasOwn(object, name)) throw at(name, new JsonRefusal('duplicate_member', 'The member stands twice.'));
      if (this.#space() !== COLON) throw this.#syntax();
      this.#at++;
      object[name] = this.#member(name);
      const next = this.#space();
      this.#at++;
      if (next === CLOSE_BRACE) return object;
      if (next !== COMMA) throw this.#back();
    }
  }

  #array(): JsonValue[] {
    const array: JsonValue[] = [];
    this.#at++;
    if (this.#space() === CLOSE_BRACKET) {
      this.#at++;
      return array;
    }
    for (;;) {
      array.push(this.#member(String(array.length)));
      const next = this.#space();
      this.#at++;
      if (next === CLOSE_BRACKET) return array;
      if (next !== COMMA) throw this.#back();
    }
  }

  #back(): JsonRefusal {
    this.#at--;
    return this.#syntax();
  }

  #member(name: string): JsonValue {
    try {
      return this.#value();
    } catch (cause) {
      throw cause instanceof JsonRefusal && cause.code !== 'syntax' ? at(name, cause) : cause;
    }
  }

  #string(): string {
    const start = ++this.#at;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === QUOTE) return this.#text.slice(start, this.#at++);
      if (code === BACKSLASH || code >= 0xd800) return this.#slowString(start);
      if (!(code >= 0x20)) throw this.#syntax();
      this.#at++;
    }
  }

  /** The rest of a string that has an escape or a character outside the common range. */
  #slowString(start: number): string {
    let value = this.#text.slice(start, this.#at);
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === QUOTE) break;
      if (!(code >= 0x20)) throw this.#syntax();
      value += code === BACKSLASH ? this.#escape() : this.#text[this.#at++];
    }
    this.#at++;
    if (value.includes('\0')) throw new JsonRefusal('nul', 'The character U+0000 is not allowed.');
    if (!value.isWellFormed()) throw new JsonRefusal('lone_surrogate', 'A surrogate stands without its partner.');
    return value;
  }

  #escape(): string {
    const letter = this.#text[this.#at + 1] ?? '';
    if (letter === 'u') {
      const hex = this.#text.slice(this.#at + 2, this.#at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) throw this.#syntax();
      this.#at += 6;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const character = escapes[letter];
    if (character === undefined) throw this.#syntax();
    this.#at += 2;
    return character;
  }

  #digits(): void {
    const start = this.#at;
    while (this.#isDigit()) this.#at++;
    if (this.#at === start) throw this.#syntax();
  }

  #isDigit(): boolean {
    const code = this.#text.charCodeAt(this.#at);
    return code >= ZERO && code <= NINE;
  }

  #number(): number {
    const start = this.#at;
    if (this.#text.charCodeAt(this.#at) === MINUS) this.#at++;
    if (this.#text.charCodeAt(this.#at) === ZERO) {
      this.#at++;
      if (this.#isDigit()) throw this.#syntax();
    } else {
      this.#digits();
    }
    if (this.#text.charCodeAt(this.#at) === POINT) {
      this.#at++;
      this.#digits();
    }
    const exponent = this.#text.charCodeAt(this.#at) | 0x20;
    if (exponent === 0x65) {
      this.#at++;
      const sign = this.#text.charCodeAt(this.#at);
      if (sign === MINUS || sign === 0x2b) this.#at++;
      this.#digits();
    }
    const value = Number(this.#text.slice(start, this.#at));
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) {
      throw new JsonRefusal('number_out_of_range', 'Numbers are bounded at ±(2^53 − 1).');
    }
    if (Object.is(value, -0)) throw new JsonRefusal('negative_zero', 'Zero has no sign here.');
    return value;
  }
}

/** Puts one more reference token (RFC 6901 §3) in front of the refusal's pointer. */
function at(token: string, refusal: JsonRefusal): JsonRefusal {
  refusal.pointer = `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}${refusal.pointer}`;
  return refusal;
}
