import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { keyPartitioner, partitionOf } from './partitioner.ts';

const partitions = (count: number) =>
  Array.from({ length: count }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 1,
    replicas: [1],
    isr: [1],
  }));

describe('the partitioner', () => {
  it('gives every key the partition that Kafka’s default gives it', () => {
    const reference = kafkajs.Partitioners.DefaultPartitioner();
    const ours = keyPartitioner();
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), fc.integer({ min: 1, max: 64 }), (key, count) => {
        const args = { topic: 't', partitionMetadata: partitions(count), message: { key, value: '' } };
        const expected = reference(args);
        assert.equal(ours(args), expected);
        assert.equal(ours({ ...args, message: { key: Buffer.from(key), value: '' } }), expected);
        assert.equal(partitionOf(Buffer.from(key), count), expected);
      }),
      { numRuns: 500 },
    );
  });

  it('obeys a message that names its partition', () => {
    const message = { key: 'k', value: '', partition: 5 };
    assert.equal(keyPartitioner()({ topic: 't', partitionMetadata: partitions(9), message }), 5);
  });

  it('refuses a message without a key', () => {
    const args = { topic: 't', partitionMetadata: partitions(3), message: { value: '' } };
    assert.throws(() => keyPartitioner()(args), TypeError);
  });
});
