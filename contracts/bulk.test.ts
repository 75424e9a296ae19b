import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { bulk, limits } from './index.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function linesOf(body: string | Uint8Array): readonly string[] | string {
  const cut = bulk.cutLines(typeof body === 'string' ? bytes(body) : body);
  return cut.ok ? cut.lines : cut.code;
}

describe('a body of lines', () => {
  const cases: readonly [string, string, readonly string[]][] = [
    ['one line', 'a', ['a']],
    ['with an end', 'a\n', ['a']],
    ['two', 'a\nb', ['a', 'b']],
    ['CRLF', 'a\r\nb\r\n', ['a', 'b']],
    ['both', 'a\r\nb\nc', ['a', 'b', 'c']],
    ['a blank line within', 'a\n\nb', ['a', '', 'b']],
    ['a blank line at the end', 'a\n\n', ['a', '']],
    ['nothing but ends', '\n\r\n', ['', '']],
    ['CR alone: no end', 'a\rb\n', ['a\rb']],
    ['only the last CR goes', 'a\r\r\n', ['a\r']],
    ['a CR at the very end', 'a\r', ['a']],
    ['more than ASCII', 'ä\n€\n😀', ['ä', '€', '😀']],
    ['separators that are none of ours', 'a\u2028b\u0085c\n', ['a\u2028b\u0085c']],
    ['a byte order mark stays: it is no JSON', '\ufeffa\n', ['\ufeffa']],
  ];
  for (const [name, body, lines] of cases) {
    it(`is cut: ${name}`, () => assert.deepEqual(linesOf(body), lines));
  }

  it('is cut into what was put together', () => {
    const line = fc.string({ unit: 'binary' }).map((text) => text.replaceAll(/[\r\n]/g, ' '));
    fc.assert(
      fc.property(fc.array(line, { minLength: 1 }), fc.constantFrom('\n', '\r\n'), fc.boolean(), (lines, end, ends) => {
        const body = lines.join(end) + (ends || lines.at(-1) === '' ? end : '');
        assert.deepEqual(linesOf(body), lines);
      }),
    );
  });

  it('has as many lines, and as long ones, as is said, and no more', () => {
    assert.equal(linesOf('a\n'.repeat(limits.bulkLinesMax)).length, limits.bulkLinesMax);
    assert.equal(linesOf(`${'a\n'.repeat(limits.bulkLinesMax)}b`), 'payload_too_large');
    const longest = 'ä'.repeat(limits.bulkLineBytesMax / 2);
    assert.deepEqual(linesOf(`a\n${longest}\r\n`), ['a', longest]);
    assert.equal(linesOf(`a\n${longest}b\n`), 'payload_too_large');
    assert.equal(linesOf('a'.repeat(limits.bulkLineBytesMax + 1)), 'payload_too_large');
  });

  it('is refused when it is empty, or no UTF-8, and says which line', () => {
    assert.equal(linesOf(''), 'invalid_request');
    for (const bad of [[0xff], [0xc3], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80]]) {
      const cut = bulk.cutLines(Uint8Array.of(0x61, 0x0a, ...bad, 0x0a));
      assert.ok(!cut.ok && cut.code === 'invalid_json' && /Line 1 /.test(cut.detail), String(bad));
    }
    assert.equal(linesOf(Uint8Array.of(0xe2, 0x82, 0x0a, 0xac)), 'invalid_json', 'a line cuts no character in two');
  });
});

describe('a line', () => {
  const line = { wallet_id: '01938d5c-7e3a-7c4b-8a11-9d0c1e2f3a4b', kind: 'earn', amount: 1, idempotency_key: 'k' };
  const cases: readonly [string, object, boolean][] = [
    ['with all that it must have', {}, true],
    ['with all that it may have', { reference: 'r', metadata: { a: 1 }, group: 'g', kind: 'burn' }, true],
    ['of another kind', { kind: 'adjust' }, false],
    ['with a key with a space', { idempotency_key: 'a b' }, false],
    ['with a key too long', { idempotency_key: 'k'.repeat(256) }, false],
    ['with a group too long', { group: 'g'.repeat(65) }, false],
    ['with a group of nothing', { group: '' }, false],
    ['with a member too many', { currency: 'EUR' }, false],
  ];
  for (const [name, more, isOne] of cases) {
    it(`${name} is ${isOne ? 'one' : 'none'}`, () =>
      assert.equal(bulk.line.safeParse({ ...line, ...more }).success, isOne));
  }
});
