/** The door of Kafka: how events leave, and how a client is connected. */
export { type KafkaAccess, type KafkaOptions, kafkaClient } from './client.ts';
export { kafkaLimits } from './limits.ts';
export { collectProducerMetrics } from './metrics.ts';
export { partitionOf } from './partitioner.ts';
export {
  type Compression,
  createProducer,
  type EventMessage,
  type EventProducer,
  type ProducerOptions,
  PublishFailure,
  type TopicMessages,
} from './producer.ts';
export { createThreadedProducer } from './threaded-producer.ts';
