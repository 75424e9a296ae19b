/**
 * The configuration, read once from the environment. Every fault is reported at once; values are never repeated in a
 * report, because some are secrets.
 */
import { hash } from 'node:crypto';
import path from 'node:path';
import { parseSigningKeys, type SigningKey, shards } from '@local-plus/contracts';
import { z } from 'zod';
import type { KafkaAccess } from './platform/kafka/index.ts';
import { type LogLevel, logLevels } from './platform/telemetry/index.ts';

/** Where the schema's files stand; not a matter of the environment. */
export const migrationsFolder = path.join(import.meta.dirname, 'migrations');

export const roles = ['api', 'relay'] as const;
export type Role = (typeof roles)[number];

export interface Config {
  readonly host: string;
  readonly port: number;
  /** `host:port` where other processes of core reach this one; null: where it listens. */
  readonly address: string | null;
  /** All that is not the ledger; and the ledger's first database. */
  readonly databaseUrl: string;
  /** Every database of the ledger by its id, the first one included; a shard lives in one of them. */
  readonly ledgerDatabases: LedgerDatabaseUrls;
  /** In which of them this process commits. */
  readonly ledgerDatabaseId: number;
  /** Empty: events wait in the ledger. */
  readonly kafkaBrokers: readonly string[];
  /** How every client of ours comes in there. */
  readonly kafkaAccess: KafkaAccess;
  /** null: nothing is cached between processes. */
  readonly redisUrl: string | null;
  readonly signingKeys: readonly [SigningKey, ...SigningKey[]];
  /** For the codes of gift cards: new ones under the first, old ones under any. Empty: this core issues no codes. */
  readonly giftcardCodeKeys: readonly SigningKey[];
  /** For customers' contact details: new keys are wrapped by the first, old ones by any. Empty: this core keeps no customers. */
  readonly customerKeys: readonly SigningKey[];
  /** Lower-case hex of the operator's token's SHA-256; the token itself is not kept. */
  readonly adminTokenDigest: string;
  /** Which commit lane this process runs: its own, and nobody else's at the same time. */
  readonly writerId: number;
  /** A process of core that shows no sign of life for this long is taken for dead by the others. */
  readonly memberDeadMs: number;
  readonly roles: ReadonlySet<Role>;
  readonly logLevel: LogLevel;
}

export type LedgerDatabaseUrls = ReadonlyMap<number, string>;

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const ADMIN_TOKEN_CHARS_MIN = 32;
/** Each is one more hash per look-up of a code. */
const CODE_KEYS_MAX = 8;
/** Of AES-256. */
const CUSTOMER_KEY_BYTES = 32;

/** Those that take a name and a password. */
const saslMechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

const databaseUrl = z
  .url({ protocol: /^postgres(ql)?$/, error: 'must look like postgres://user:password@host:port/database' })
  .describe('required');

/** `2=postgres://…,3=postgres://…`: what the ledger has beside DATABASE_URL, its database 1. */
const furtherDatabases = z
  .string()
  .default('')
  .transform((text, context): LedgerDatabaseUrls => {
    const urls = new Map<number, string>();
    for (const entry of text === '' ? [] : text.split(/,(?=\s*\d+=)/)) {
      const [, id = '', url = ''] = /^\s*(\d{1,2})=(\S+)\s*$/.exec(entry) ?? [];
      const isGood =
        Number(id) > shards.firstDatabase && Number(id) <= shards.databasesMax && databaseUrl.safeParse(url).success;
      if (!isGood || urls.has(Number(id))) {
        const message = `must look like 2=postgres://user:password@host:port/database,3=…; ids are 2 to ${shards.databasesMax}, each once`;
        context.addIssue({ code: 'custom', message });
        return z.NEVER;
      }
      urls.set(Number(id), url);
    }
    return urls;
  });

const list = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

/** `k2:<base64url>,k1:<base64url>`: the first is for what is new. */
function readKeys(text: string, context: z.RefinementCtx): readonly [SigningKey, ...SigningKey[]] {
  try {
    return parseSigningKeys(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'cannot be read' });
    return z.NEVER;
  }
}

const environment = z.object({
  CORE_HOST: z.string().min(1).default('127.0.0.1'),
  CORE_PORT: z.coerce.number().int().min(0).max(65_535).default(7_070),
  CORE_ADDRESS: z
    .string()
    .regex(/^(|[^:\s]+:\d{1,5}|\[[0-9a-fA-F:.]+\]:\d{1,5})$/, 'must be host:port')
    .default(''),
  DATABASE_URL: databaseUrl,
  LEDGER_DATABASES: furtherDatabases,
  LEDGER_DATABASE_ID: z.coerce
    .number()
    .int()
    .min(shards.firstDatabase)
    .max(shards.databasesMax)
    .default(shards.firstDatabase),
  KAFKA_BROKERS: z
    .string()
    .default('')
    .transform(list)
    .pipe(z.array(z.string().regex(/^[^:\s]+:\d{1,5}$/, 'must be host:port, separated by commas'))),
  KAFKA_SSL: z
    .enum(['true', 'false', ''], 'must be true or false')
    .default('')
    .transform((text) => text === 'true'),
  KAFKA_SASL_MECHANISM: z.enum(['', ...saslMechanisms], `must be one of ${saslMechanisms.join(', ')}`).default(''),
  KAFKA_SASL_USERNAME: z.string().default(''),
  KAFKA_SASL_PASSWORD: z.string().default(''),
  REDIS_URL: z
    .union([z.literal(''), z.url({ protocol: /^rediss?$/ })], { error: 'must look like redis://host:port' })
    .default(''),
  EDGE_SIGNING_KEYS: z.string().transform(readKeys),
  GIFTCARD_CODE_KEYS: z
    .string()
    .default('')
    .transform((text, context) => (text === '' ? [] : readKeys(text, context)))
    .refine((keys) => keys.length <= CODE_KEYS_MAX, `has more than ${CODE_KEYS_MAX} keys`),
  CUSTOMER_KEYS: z
    .string()
    .default('')
    .transform((text, context) => (text === '' ? [] : readKeys(text, context)))
    .refine(
      (keys) => keys.every(({ secret }) => secret.length === CUSTOMER_KEY_BYTES),
      'has a key that is not of 32 bytes',
    ),
  ADMIN_TOKEN: z
    .string()
    .min(ADMIN_TOKEN_CHARS_MIN, `must have ${ADMIN_TOKEN_CHARS_MIN} characters or more`)
    .transform((token) => hash('sha256', token, 'hex')),
  WRITER_ID: z.coerce.number().int().min(0).max(1_023).default(1),
  MEMBER_DEAD_MS: z.coerce.number().int().min(2_500).max(60_000).default(3_000),
  ROLES: z
    .string()
    .default(roles.join(','))
    .transform(list)
    .pipe(z.array(z.enum(roles)).min(1, 'must name at least one role')),
  LOG_LEVEL: z.enum(logLevels).default('info'),
});

/** Throws a {@link ConfigError} with one line per fault. */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const values = parse(environment.superRefine(checkDatabases).superRefine(checkSasl), env);
  return {
    host: values.CORE_HOST,
    port: values.CORE_PORT,
    address: values.CORE_ADDRESS === '' ? null : values.CORE_ADDRESS,
    databaseUrl: values.DATABASE_URL,
    ledgerDatabases: allDatabases(values),
    ledgerDatabaseId: values.LEDGER_DATABASE_ID,
    kafkaBrokers: values.KAFKA_BROKERS,
    kafkaAccess: kafkaAccessOf(values),
    redisUrl: values.REDIS_URL === '' ? null : values.REDIS_URL,
    signingKeys: values.EDGE_SIGNING_KEYS,
    giftcardCodeKeys: values.GIFTCARD_CODE_KEYS,
    customerKeys: values.CUSTOMER_KEYS,
    adminTokenDigest: values.ADMIN_TOKEN,
    writerId: values.WRITER_ID,
    memberDeadMs: values.MEMBER_DEAD_MS,
    roles: new Set(values.ROLES),
    logLevel: values.LOG_LEVEL,
  };
}

/** What the migration and the audit need, and no more: every database of the ledger by its id. */
export function readDatabaseUrls(env: NodeJS.ProcessEnv): LedgerDatabaseUrls {
  return allDatabases(parse(environment.pick({ DATABASE_URL: true, LEDGER_DATABASES: true }), env));
}

type DatabaseValues = Pick<z.output<typeof environment>, 'DATABASE_URL' | 'LEDGER_DATABASES'>;

function allDatabases({ DATABASE_URL, LEDGER_DATABASES }: DatabaseValues): LedgerDatabaseUrls {
  return new Map([[shards.firstDatabase, DATABASE_URL], ...LEDGER_DATABASES]);
}

/** What is fine by itself and wrong together. */
function checkDatabases(values: z.output<typeof environment>, context: z.RefinementCtx): void {
  const { LEDGER_DATABASE_ID: id, LEDGER_DATABASES: further, WRITER_ID } = values;
  const fault = (name: string, message: string) => context.addIssue({ code: 'custom', path: [name], message });
  if (!allDatabases(values).has(id)) fault('LEDGER_DATABASE_ID', 'is none of LEDGER_DATABASES');
  if (further.size > 0 && WRITER_ID === shards.nobody)
    fault('WRITER_ID', 'must be 1 or more where there are several databases');
}

function checkSasl(values: z.output<typeof environment>, context: z.RefinementCtx): void {
  const names = ['KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'] as const;
  const missing = names.filter((name) => values[name] === '');
  if (missing.length === names.length) return;
  for (const name of missing) {
    context.addIssue({ code: 'custom', path: [name], message: 'is wanted with the other two of KAFKA_SASL_…' });
  }
}

function kafkaAccessOf(values: z.output<typeof environment>): KafkaAccess {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = values;
  return { ssl: values.KAFKA_SSL, ...(mechanism === '' ? {} : { sasl: { mechanism, username, password } }) };
}

function parse<Schema extends z.ZodType>(schema: Schema, env: NodeJS.ProcessEnv): z.output<Schema> {
  const result = schema.safeParse(env);
  if (result.success) return result.data;
  const lines = result.error.issues.map(({ path, message }) => {
    const name = String(path[0]);
    return `${name}: ${env[name] === undefined ? 'is required' : message}`;
  });
  throw new ConfigError([...new Set(lines)].join('\n'));
}
