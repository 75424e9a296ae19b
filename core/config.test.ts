/** The configuration says everything that is wrong with it, at once, and repeats no secret. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigError, readConfig, readDatabaseUrl } from './config.ts';

const secret = 'A'.repeat(43);
const good = {
  DATABASE_URL: 'postgres://user:password@127.0.0.1:5432/localplus',
  EDGE_SIGNING_KEYS: `k2:${secret},k1:${secret}`,
  ADMIN_TOKEN: 'x'.repeat(32),
};

function faultsOf(env: NodeJS.ProcessEnv): string {
  try {
    readConfig(env);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
  assert.fail('the configuration was accepted');
}

describe('the configuration', () => {
  it('needs three values and has defaults for the rest', () => {
    const config = readConfig(good);
    assert.deepEqual([config.host, config.port, config.writerId, config.logLevel], ['127.0.0.1', 7_070, 1, 'info']);
    assert.deepEqual([config.kafkaBrokers, config.redisUrl, [...config.roles]], [[], null, ['api', 'relay']]);
    assert.deepEqual(
      config.signingKeys.map(({ keyId }) => keyId),
      ['k2', 'k1'],
    );
    assert.match(config.adminTokenDigest, /^[0-9a-f]{64}$/);
  });

  it('takes lists, and empty texts for what is not there', () => {
    const more = { KAFKA_BROKERS: 'a:9092, b:9092', REDIS_URL: '', ROLES: 'relay', CORE_PORT: '0', WRITER_ID: '1023' };
    const config = readConfig({ ...good, ...more });
    assert.deepEqual([config.kafkaBrokers, config.redisUrl], [['a:9092', 'b:9092'], null]);
    assert.deepEqual([[...config.roles], config.port, config.writerId], [['relay'], 0, 1_023]);
    assert.equal(readConfig({ ...good, REDIS_URL: 'redis://127.0.0.1:6379' }).redisUrl, 'redis://127.0.0.1:6379');
  });

  it('reports every fault at once', () => {
    const bad = {
      CORE_PORT: '70000',
      DATABASE_URL: 'mysql://x',
      KAFKA_BROKERS: 'a',
      REDIS_URL: 'http://x',
      ADMIN_TOKEN: 'short-secret',
      WRITER_ID: '1.5',
      ROLES: 'api,cook',
      LOG_LEVEL: 'loud',
      EDGE_SIGNING_KEYS: 'k1:c2hvcnQ',
    };
    const faults = faultsOf(bad);
    for (const name of Object.keys(bad)) assert.match(faults, new RegExp(`^${name}: `, 'm'));
    assert.doesNotMatch(faults, /short-secret|c2hvcnQ/);
    assert.equal(faultsOf({}).split('\n').length, 3);
  });

  it('gives the migration its address without asking for the rest', () => {
    assert.equal(readDatabaseUrl({ DATABASE_URL: good.DATABASE_URL }), good.DATABASE_URL);
    assert.throws(() => readDatabaseUrl({}), /DATABASE_URL: is required/);
  });
});
