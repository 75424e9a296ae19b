/**
 * The door of deploy: the servers of the local stack, for the tests and benches of the other folders.
 *
 * Each `start…` resolves when the server answers, and returns its handle ({@link Server}): `stop`, `kill`, `restart`.
 */
export { type AptOptions, type AptOutcome, installPackages } from './local/apt.ts';
export { type Balancer, createBalancer } from './local/balancer.ts';
export { type CoreOptions, coreServer, migrate, startCore } from './local/core.ts';
export {
  type DurableObjectNamespace,
  type EdgeOptions,
  edgeObjects,
  edgeProcess,
  edgeServer,
  startEdge,
} from './local/edge.ts';
export { AbsentError, StartError } from './local/errors.ts';
export { allTopics, type KafkaOptions, type KafkaServer, kafkaServer, startKafka } from './local/kafka.ts';
export { kafkaRuntime } from './local/kafka-runtime.ts';
export { defaultCacheDir, repositoryDir } from './local/places.ts';
export { freePorts } from './local/ports.ts';
export { type PostgresOptions, type PostgresServer, postgresServer, startPostgres } from './local/postgres.ts';
export { endOrphansIn } from './local/processes.ts';
export type { Server, ServerOptions } from './local/server.ts';
export { onStopSignal, type StopSignal } from './local/stop-signals.ts';
export { type Supervision, supervise } from './local/supervisor.ts';
export { startValkey, type ValkeyOptions, valkeyServer } from './local/valkey.ts';
export { waitUntil } from './local/waits.ts';
export type { PythonToolOutcome } from './tools/python-tool.ts';
export { ensureSchemathesis } from './tools/schemathesis.ts';
