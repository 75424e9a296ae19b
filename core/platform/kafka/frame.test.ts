/** What is packed for another thread comes out as it was. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { packTopic, unpackTopic } from './frame.ts';

describe('a frame', () => {
  it('gives back every message, in order, with its own headers', () => {
    const headers = fc.constantFrom(undefined, { event_type: 'a' }, { event_type: 'b', schema_version: '1' });
    const message = fc.record({ key: fc.string({ unit: 'binary' }), value: fc.string({ unit: 'binary' }), headers });
    fc.assert(
      fc.property(fc.array(message), (messages) => {
        const sent = messages.map(({ headers: own, ...rest }) =>
          own === undefined ? rest : { ...rest, headers: own },
        );
        const arrived = unpackTopic(structuredClone(packTopic({ topic: 't', messages: sent })));
        assert.deepEqual(arrived, { topic: 't', messages: sent });
      }),
    );
  });
});
