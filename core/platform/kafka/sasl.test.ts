/** A broker that wants to know who comes: a real one, and every client that core has. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Topic, topics, wallets } from '@local-plus/contracts';
import { readTopic, SASL, startBroker, type TestBroker } from '../../test/kafka.ts';
import { recorded } from '../../test/log.ts';
import { eventually, TestStack } from '../../test/stack.ts';
import { Tenant } from '../../test/tenant.ts';
import { createProducer, createThreadedProducer, PublishFailure } from './index.ts';

const messages = [{ topic: topics.ledgerTransactions, messages: [{ key: 'k', value: '{}' }] }];

describe('a broker that wants a name and a password', () => {
  const stack = new TestStack();
  let broker: TestBroker;
  before(async () => {
    broker = await startBroker();
  });
  after(async () => {
    await stack.stop();
    await broker.close();
  });

  it('gets the events of core, and its log no password', async () => {
    const { log, lines } = recorded();
    const env = {
      KAFKA_BROKERS: broker.namedBrokers.join(','),
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: SASL.username,
      KAFKA_SASL_PASSWORD: SASL.password,
    };
    const tenant = await Tenant.open((await stack.serve(env, log)).client);
    const wallet = await tenant.wallet();
    await tenant.made(`/v1/wallets/${wallet}/earn`, { amount: 5 }, wallets.transaction);
    const arrives = (topic: Topic, wanted: string) =>
      eventually(`${topic} has it`, async () => {
        const records = await readTopic(broker.brokers, topic);
        return records.some(({ key }) => key === wanted);
      });
    await arrives(topics.ledgerTransactions, wallet);
    await arrives(topics.merchantOnboarded, String(tenant.caller.merchantId));
    assert.ok(!lines.join('').includes(SASL.password));
  });

  it('refuses who does not say it, and who says it wrong, without a word of it in the log', async () => {
    const { log, lines } = recorded();
    const wrong = { mechanism: 'plain', username: SASL.username, password: 'a-wrong-password' } as const;
    for (const create of [createProducer, createThreadedProducer]) {
      for (const access of [{}, { sasl: wrong }]) {
        const producer = create({ brokers: broker.namedBrokers, clientId: 'test', log, ...access });
        await assert.rejects(producer.send(messages), PublishFailure);
        await producer.close();
      }
    }
    assert.ok(!lines.join('').includes(wrong.password));
  });
});
