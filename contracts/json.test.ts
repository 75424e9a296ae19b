import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type JsonReading, readJson, readJsonText } from './json.ts';

const told = (reading: JsonReading) => (reading.ok ? 'ok' : `${reading.error.code} ${reading.error.pointer}`.trim());
const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

/** Each row: a text, and what the reader says of it. */
const cases: readonly (readonly [string, string])[] = [
  ['{"amount":100}', 'ok'],
  [' \t\r\n{ "a" : [ 1 , true , false , null , "x" ] } ', 'ok'],
  ['1e2', 'ok'],
  ['-1.5', 'ok'],
  ['9007199254740991', 'ok'],
  ['"\\u00e9\\n\\ud83c\\udf81"', 'ok'],
  [nested(32), 'ok'],
  [nested(33), `too_deep ${'/0'.repeat(32)}`],
  ['', 'syntax'],
  ['{', 'syntax'],
  ['{"a":1', 'syntax'],
  ['{"a":1}}', 'syntax'],
  ['{"a":1,}', 'syntax'],
  ['[1,]', 'syntax'],
  ["{'a':1}", 'syntax'],
  ['{a:1}', 'syntax'],
  ['01', 'syntax'],
  ['+1', 'syntax'],
  ['1.', 'syntax'],
  ['.5', 'syntax'],
  ['NaN', 'syntax'],
  ['Infinity', 'syntax'],
  ['"\n"', 'syntax'],
  ['"\\x41"', 'syntax'],
  ['"\\u12g4"', 'syntax'],
  ['nul', 'syntax'],
  ['\u00a01', 'syntax'],
  ['\ufeff{}', 'syntax'],
  ['1e400', 'number_out_of_range'],
  ['{"amount":9007199254740993}', 'number_out_of_range /amount'],
  ['{"a":[0,-9007199254740992]}', 'number_out_of_range /a/1'],
  ['-0', 'negative_zero'],
  ['-0.0', 'negative_zero'],
  ['{"a":1,"a":1}', 'duplicate_member /a'],
  ['{"a":1,"\\u0061":2}', 'duplicate_member /a'],
  ['{"x/y":{"b~":1,"b~":2}}', 'duplicate_member /x~1y/b~0'],
  ['{"__proto__":{"admin":true}}', 'forbidden_member /__proto__'],
  ['{"a":"\\u0000"}', 'nul /a'],
  ['{"a":"\\ud800"}', 'lone_surrogate /a'],
  ['{"a":"\\udc00x"}', 'lone_surrogate /a'],
];

describe('the JSON reader', () => {
  for (const [text, expected] of cases) {
    it(`${JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)}: ${expected}`, () => {
      assert.equal(told(readJsonText(text)), expected);
    });
  }

  it('refuses bytes that are not UTF-8', () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc0, 0x80, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0x22, 0xc3],
    ]) {
      assert.equal(told(readJson(Uint8Array.from(bytes))), 'invalid_utf8');
    }
  });

  it('reads what JSON.parse reads, wherever the text is unambiguous', () => {
    const value = fc
      .jsonValue({ maxDepth: 5 })
      .filter((candidate) => told(readJsonText(JSON.stringify(candidate))) === 'ok');
    fc.assert(
      fc.property(value, fc.nat(4), (original, indent) => {
        const text = JSON.stringify(original, null, indent);
        assert.deepEqual(readJsonText(text), { ok: true, value: JSON.parse(text) });
      }),
    );
  });

  it('accepts nothing that JSON.parse refuses', () => {
    const soup = fc.string({ unit: fc.constantFrom(...'{}[]",:\\0123456789.eE+-truefalsn u'), maxLength: 12 });
    fc.assert(
      fc.property(soup, (text) => {
        if (told(readJsonText(text)) === 'ok') JSON.parse(text);
      }),
      { numRuns: 5_000 },
    );
  });
});
