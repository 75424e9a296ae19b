import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { matchesEtag } from './validators.ts';

describe('If-None-Match', () => {
  const cases: readonly (readonly [string | null, boolean])[] = [
    [null, false],
    ['', false],
    ['"a"', true],
    ['W/"a"', true],
    ['"b", "a"', true],
    ['"b",W/"a" ,"c"', true],
    [', "a",', true],
    ['"b,", "a"', true],
    ['*', true],
    [' * ', true],
    ['"b"', false],
    ['a', false],
    ['"x,"a",y"', false],
    ['"a" b', false],
    ['"a", b', false],
    ['"b", *', false],
    ['w/"a"', false],
    ['"a', false],
  ];
  for (const [given, expected] of cases) {
    it(`${given}: ${expected}`, () => assert.equal(matchesEtag(given, '"a"'), expected));
  }
});
