import assert from 'node:assert/strict';
import { it } from 'node:test';
import { sha256Hex, sha256Hex128 } from './index.ts';

it('SHA-256 of a text is that of its UTF-8 bytes, in lower-case hex', () => {
  // The first is an example of FIPS 180-4, the second was made by sha256sum.
  assert.equal(sha256Hex('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  assert.equal(sha256Hex('Bär'), 'f00b1e56865ee214772d98438caf56b591e34215140cf01fd02974a8ee28260c');
  assert.equal(sha256Hex128('abc'), 'ba7816bf8f01cfea414140de5dae2223');
});
