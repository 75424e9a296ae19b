import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AnswerReader } from './raw-answers.ts';

/** Feeds an answer in two pieces, cut at every place; it is whole with the last byte and not before. */
function readCutEverywhere(text: string): void {
  for (let cut = 1; cut < text.length; cut++) {
    const reader = new AnswerReader();
    assert.equal(reader.take(Buffer.from(text.slice(0, cut))), null, `whole after ${cut} bytes`);
    assert.equal(reader.take(Buffer.from(text.slice(cut))), 201);
  }
}

describe('answers as our clients read them', () => {
  it('of a known length', () => {
    readCutEverywhere('HTTP/1.1 201 Created\r\nContent-Length: 7\r\n\r\n{"a":1}');
  });

  it('in chunks', () => {
    readCutEverywhere('HTTP/1.1 201 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab\r\nc\r\n0\r\n\r\n');
  });

  it('one after the other', () => {
    const reader = new AnswerReader();
    assert.equal(reader.take(Buffer.from('HTTP/1.1 429 X\r\ncontent-length: 0\r\n\r\n')), 429);
    assert.equal(reader.take(Buffer.from('HTTP/1.1 201 X\r\ncontent-length: 0\r\n\r\n')), 201);
  });
});
