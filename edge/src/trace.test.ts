import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isUuid } from '@local-plus/contracts';
import { requestIdOf, traceparentOf } from './trace.ts';

const valid = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('the request id', () => {
  it('is the caller’s when that is a canonical UUID', () => {
    const id = '01890000-0000-7000-8000-000000000000';
    assert.equal(requestIdOf(new Headers({ 'x-request-id': id }), 0), id);
  });

  for (const bad of [
    '',
    'abc',
    '01890000-0000-7000-8000-00000000000G',
    '01890000-0000-7000-8000-00000000000A',
    'x, y',
  ]) {
    it(`is made when the caller’s is ${JSON.stringify(bad)}`, () => {
      const id = requestIdOf(new Headers({ 'x-request-id': bad }), 1_800_000_000_000);
      assert.ok(isUuid(id) && id[14] === '7' && id !== bad);
    });
  }
});

describe('the trace', () => {
  it('is the caller’s when that is valid', () => {
    assert.equal(traceparentOf(new Headers({ traceparent: valid })), valid);
  });

  const bad = [
    '',
    valid.toUpperCase(),
    valid.replace('00-', 'ff-'),
    valid.replace('00-', '01-'),
    `${valid}-extra`,
    valid.replace('4bf92f3577b34da6a3ce929d0e0e4736', '0'.repeat(32)),
    valid.replace('00f067aa0ba902b7', '0'.repeat(16)),
  ];
  for (const text of bad) {
    it(`begins anew instead of ${JSON.stringify(text)}`, () => {
      const made = traceparentOf(new Headers({ traceparent: text }));
      assert.match(made, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      assert.notEqual(made, text);
    });
  }
});
