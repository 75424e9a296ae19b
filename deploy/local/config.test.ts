import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { databaseOfCore, helpText, parseConfig, postgresPorts } from './config.ts';
import { repositoryDir } from './places.ts';

test('without anything, the defaults', () => {
  const outcome = parseConfig([], {});
  assert.ok(outcome.kind === 'config');
  const { config } = outcome;
  assert.deepEqual(config.ports, {
    edge: 8787,
    core: 7070,
    postgres: 54329,
    kafka: 19092,
    kafkaController: 19093,
    valkey: 16379,
  });
  assert.equal(config.dataDir, join(repositoryDir, '.local'));
  assert.deepEqual(
    [config.fresh, config.once, config.demo, config.kafka, config.valkey],
    [false, false, true, true, true],
  );
  assert.deepEqual([config.databaseUrl, config.kafkaBrokers, config.redisUrl], [null, null, null]);
});

test('a flag stands above the environment, the environment above the default', () => {
  const env = { LOCAL_PLUS_EDGE_PORT: '1111', LOCAL_PLUS_CORE_PORT: '2222', LOCAL_PLUS_NO_KAFKA: '1', REDIS_URL: '' };
  const outcome = parseConfig(['--', '--edge-port', '3333', '--valkey-port=4444', '--once', '--data', 'x/y'], env);
  assert.ok(outcome.kind === 'config');
  const { ports, once, kafka, redisUrl, dataDir } = outcome.config;
  assert.deepEqual([ports.edge, ports.core, ports.valkey], [3333, 2222, 4444]);
  assert.deepEqual([once, kafka, redisUrl], [true, false, null]);
  assert.equal(dataDir, join(process.cwd(), 'x', 'y'));
});

test('several databases take ports beside the first, and a process of core each', () => {
  const outcome = parseConfig(['--databases', '2', '--cores', '3'], {});
  assert.ok(outcome.kind === 'config');
  assert.deepEqual(postgresPorts(outcome.config), [54329, 54330]);
  assert.deepEqual(
    [1, 2, 3].map((writerId) => databaseOfCore(outcome.config, writerId)),
    [1, 2, 1],
  );
  const wrong = parseConfig(['--databases', '3', '--cores', '2', '--kafka-port', '54331'], {
    DATABASE_URL: 'postgres://a:b@db:5432/x',
  });
  assert.ok(wrong.kind === 'errors');
  assert.deepEqual(wrong.errors, [
    'The ports of kafka and postgres-3 are the same, 54331.',
    '--databases 3 needs a process of core for each: add --cores 3 or more.',
    '--databases starts Postgres servers of its own: it cannot be used with DATABASE_URL.',
  ]);
  assert.equal(parseConfig(['--databases', '9', '--cores', '8'], {}).kind, 'errors');
});

test('servers of somebody else are taken from the usual variables', () => {
  const outcome = parseConfig([], {
    DATABASE_URL: 'postgres://a:b@db:5432/x',
    KAFKA_BROKERS: 'k1:9092, k2:9092',
    REDIS_URL: 'rediss://cache:6379',
  });
  assert.ok(outcome.kind === 'config');
  assert.equal(outcome.config.databaseUrl, 'postgres://a:b@db:5432/x');
  assert.deepEqual(outcome.config.kafkaBrokers, ['k1:9092', 'k2:9092']);
  assert.equal(outcome.config.redisUrl, 'rediss://cache:6379');
});

test('every error is reported, all at once', () => {
  const outcome = parseConfig(
    ['--edge-port', '0', '--bogus', '--kafka-port', '1200', '--valkey-port', '1201', '--data'],
    {
      LOCAL_PLUS_CORE_PORT: '70x',
      LOCAL_PLUS_ONCE: 'perhaps',
      LOCAL_PLUS_WALLETS: '0',
      DATABASE_URL: 'mysql://secret@db/x',
      KAFKA_BROKERS: 'nowhere',
      REDIS_URL: 'cache:1',
    },
  );
  assert.ok(outcome.kind === 'errors');
  assert.deepEqual(outcome.errors, [
    'There is no option --bogus; `npm start -- --help` lists them.',
    '--data needs a value.',
    'LOCAL_PLUS_ONCE must be true or false, not "perhaps".',
    '--edge-port must be a port, 1 to 65534, not "0".',
    'LOCAL_PLUS_CORE_PORT must be a port, 1 to 65534, not "70x".',
    'LOCAL_PLUS_WALLETS must be 1 to 1000000, not "0".',
    'The ports of kafkaController and valkey are the same, 1201.',
    'DATABASE_URL must look like postgres://user:password@host:port/database.',
    'REDIS_URL must look like redis://host:port.',
    'KAFKA_BROKERS must be a comma-separated list of host:port.',
  ]);
  assert.ok(!outcome.errors.join().includes('secret'), 'addresses hold passwords and are not repeated');
});

test('help names every option', () => {
  assert.equal(parseConfig(['--edge-port', 'x', '--help'], {}).kind, 'help');
  for (const name of ['--fresh', '--once', '--edge-port 8787', '--no-kafka', '--wallets 10000']) {
    assert.ok(helpText().includes(name), name);
  }
});
