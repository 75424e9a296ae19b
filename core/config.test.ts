/** The configuration says everything that is wrong with it, at once, and repeats no secret. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigError, readConfig, readDatabaseUrls } from './config.ts';

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
      GIFTCARD_CODE_KEYS: `k1:${secret},k1:${secret}`,
      CUSTOMER_KEYS: `k1:${secret}AAAA`,
    };
    const faults = faultsOf(bad);
    for (const name of Object.keys(bad)) assert.match(faults, new RegExp(`^${name}: `, 'm'));
    assert.doesNotMatch(faults, /short-secret|c2hvcnQ/);
    assert.equal(faultsOf({}).split('\n').length, 3);
  });

  it('takes how Kafka knows it and it Kafka, whole or not at all', () => {
    assert.deepEqual(readConfig(good).kafkaAccess, { ssl: false });
    const named = {
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: 'core',
      KAFKA_SASL_PASSWORD: 'not-to-be-repeated',
    };
    assert.deepEqual(readConfig({ ...good, ...named, KAFKA_SSL: 'true' }).kafkaAccess, {
      ssl: true,
      sasl: { mechanism: 'scram-sha-512', username: 'core', password: 'not-to-be-repeated' },
    });
    assert.deepEqual(readConfig({ ...good, KAFKA_SSL: 'false', KAFKA_SASL_MECHANISM: '' }).kafkaAccess, { ssl: false });
    for (const name of Object.keys(named)) {
      const faults = faultsOf({ ...good, ...named, [name]: '' });
      assert.match(faults, new RegExp(`^${name}: is wanted with the other two`));
      assert.doesNotMatch(faults, /not-to-be-repeated/);
    }
    assert.match(faultsOf({ ...good, ...named, KAFKA_SASL_MECHANISM: 'gssapi' }), /^KAFKA_SASL_MECHANISM: must be one/);
    assert.match(faultsOf({ ...good, KAFKA_SSL: 'yes' }), /^KAFKA_SSL: must be true or false$/);
  });

  it('takes keys for the codes of gift cards, or none', () => {
    const keysOf = (GIFTCARD_CODE_KEYS: string) => readConfig({ ...good, GIFTCARD_CODE_KEYS }).giftcardCodeKeys;
    assert.deepEqual([readConfig(good).giftcardCodeKeys, keysOf('')], [[], []]);
    assert.deepEqual(
      keysOf(`k2:${secret},k1:${secret}`).map(({ keyId }) => keyId),
      ['k2', 'k1'],
    );
    const nine = Array.from({ length: 9 }, (_, index) => `k${index}:${secret}`).join(',');
    for (const bad of ['k1:c2hvcnQ', nine, `K:${secret}`]) {
      const faults = faultsOf({ ...good, GIFTCARD_CODE_KEYS: bad });
      assert.match(faults, /^GIFTCARD_CODE_KEYS: /);
      assert.doesNotMatch(faults, /c2hvcnQ|AAAA/);
    }
  });

  it('takes keys of 32 bytes for customers, or none', () => {
    const keysOf = (CUSTOMER_KEYS: string) => readConfig({ ...good, CUSTOMER_KEYS }).customerKeys;
    assert.deepEqual([readConfig(good).customerKeys, keysOf('')], [[], []]);
    assert.deepEqual(
      keysOf(`c2:${secret},c1:${secret}`).map(({ keyId }) => keyId),
      ['c2', 'c1'],
    );
    for (const bad of ['c1:c2hvcnQ', `c1:${secret}AAAA`, `c1:${secret},c1:${secret}`]) {
      const faults = faultsOf({ ...good, CUSTOMER_KEYS: bad });
      assert.match(faults, /^CUSTOMER_KEYS: /);
      assert.doesNotMatch(faults, /c2hvcnQ|AAAA/);
    }
  });

  it('names the ledger’s databases, the first one always', () => {
    const one = readConfig(good);
    assert.deepEqual([[...one.ledgerDatabases], one.ledgerDatabaseId], [[[1, good.DATABASE_URL]], 1]);
    const [second, third] = ['postgres://u:p,1@two:5432/x', 'postgresql://u:p@three/x'];
    const several = readConfig({ ...good, LEDGER_DATABASES: `2=${second}, 3=${third}`, LEDGER_DATABASE_ID: '3' });
    assert.deepEqual(
      [...several.ledgerDatabases],
      [
        [1, good.DATABASE_URL],
        [2, second],
        [3, third],
      ],
    );
    assert.equal(several.ledgerDatabaseId, 3);
    const wrong = ['1=postgres://a/b', '2=mysql://a/b', '2', '17=postgres://a/b', '2=postgres://a/b,2=postgres://c/d'];
    for (const LEDGER_DATABASES of wrong) {
      assert.match(faultsOf({ ...good, LEDGER_DATABASES }), /^LEDGER_DATABASES: must look like 2=/, LEDGER_DATABASES);
    }
    assert.match(faultsOf({ ...good, LEDGER_DATABASE_ID: '2' }), /^LEDGER_DATABASE_ID: is none of LEDGER_DATABASES$/);
    const nobody = { ...good, LEDGER_DATABASES: `2=${second}`, WRITER_ID: '0' };
    assert.match(faultsOf(nobody), /^WRITER_ID: must be 1 or more where there are several databases$/);
  });

  it('gives the migration its address without asking for the rest', () => {
    assert.deepEqual([...readDatabaseUrls({ DATABASE_URL: good.DATABASE_URL })], [[1, good.DATABASE_URL]]);
    assert.throws(() => readDatabaseUrls({}), /DATABASE_URL: is required/);
  });
});
