/** Codes read back however they are typed, and the check character shows what it is said to show. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  checkCharacter,
  code,
  codeAlphabet,
  codeDataChars,
  groupedCode,
  lastFourOf,
  readCode,
} from './giftcard-codes.ts';

const characters = [...codeAlphabet];
const canonical = fc
  .array(fc.constantFrom(...characters), { minLength: codeDataChars, maxLength: codeDataChars })
  .map((data) => data.join('') + checkCharacter(data.join('')));
const separator = fc.constantFrom('', ' ', '-', ' - ', '–', '\u00a0', '\t');

/** As somebody may type a character. */
function variants(character: string): string[] {
  const lookalikes: Record<string, string[]> = { '0': ['O', 'o'], '1': ['I', 'i', 'L', 'l'] };
  return [character, character.toLowerCase(), ...(lookalikes[character] ?? [])];
}

function replaced(text: string, at: number, character: string): string {
  return text.slice(0, at) + character + text.slice(at + 1);
}

describe('a code', () => {
  it('reads back as it is shown: in five groups', () => {
    fc.assert(
      fc.property(canonical, (text) => {
        const shown = groupedCode(text);
        assert.match(shown, /^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]$/);
        assert.equal(readCode(shown), text);
        assert.equal(shown.replaceAll('-', '').slice(12, 16), lastFourOf(text));
        assert.ok(code.safeParse(shown).success);
      }),
    );
  });

  it('reads back as people type it', () => {
    fc.assert(
      fc.property(
        canonical,
        fc.array(fc.tuple(fc.nat(9), separator), { minLength: 17, maxLength: 17 }),
        (text, choices) => {
          const typed = [...text].map((character, index) => {
            const [choice, between] = choices[index] as [number, string];
            const ways = variants(character);
            return ways[choice % ways.length] + between;
          });
          if (typed.join('').length <= 64) assert.equal(readCode(typed.join('')), text);
        },
      ),
    );
  });

  it('shows every wrong character', () => {
    fc.assert(
      fc.property(canonical, (text) => {
        for (let at = 0; at < text.length; at++) {
          for (const other of characters) {
            if (other !== text[at]) assert.equal(readCode(replaced(text, at, other)), null);
          }
        }
      }),
    );
  });

  it('shows every exchange of two characters, adjacent or not', () => {
    fc.assert(
      fc.property(canonical, (text) => {
        for (let one = 0; one < text.length; one++) {
          for (let other = one + 1; other < text.length; other++) {
            const [left, right] = [text.charAt(one), text.charAt(other)];
            if (left !== right) assert.equal(readCode(replaced(replaced(text, one, right), other, left)), null);
          }
        }
      }),
    );
  });

  it('shows every pair of equal characters mistaken for another pair', () => {
    fc.assert(
      fc.property(canonical, fc.nat(codeDataChars - 2), fc.constantFrom(...characters), (text, at, twin) => {
        const data = replaced(replaced(text.slice(0, codeDataChars), at, twin), at + 1, twin);
        const whole = data + checkCharacter(data);
        for (const other of characters) {
          if (other !== twin) assert.equal(readCode(replaced(replaced(whole, at, other), at + 1, other)), null);
        }
      }),
    );
  });

  it('lets one of 32 other texts pass, as any check character of this alphabet does', () => {
    const data = '7Q2M4X9TB0KD3HWA';
    assert.equal(checkCharacter(data), '2');
    const passing = characters.filter((last) => readCode(data + last) !== null);
    assert.deepEqual(passing, ['2']);
  });

  it('is none with another length, another alphabet, or too much between', () => {
    const text = '7Q2M4X9TB0KD3HWA2';
    assert.equal(readCode(text), text);
    const dotted = text.replace('Q', '.');
    for (const bad of ['', text.slice(1), `${text}2`, text.replace('W', 'U'), dotted, `${text}${' '.repeat(48)}`]) {
      assert.equal(readCode(bad), null, bad);
    }
    assert.ok(!code.safeParse(text.replace('W', 'V')).success);
  });
});
