/**
 * The configuration, read once from the environment. Every fault is reported at once; values are never repeated in a
 * report, because some are secrets.
 */
import { hash } from 'node:crypto';
import path from 'node:path';
import { parseSigningKeys, type SigningKey } from '@local-plus/contracts';
import { z } from 'zod';
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
  readonly databaseUrl: string;
  /** Empty: events wait in the ledger. */
  readonly kafkaBrokers: readonly string[];
  /** null: nothing is cached between processes. */
  readonly redisUrl: string | null;
  readonly signingKeys: readonly [SigningKey, ...SigningKey[]];
  /** Lower-case hex of the operator's token's SHA-256; the token itself is not kept. */
  readonly adminTokenDigest: string;
  /** Which commit lane this process runs: its own, and nobody else's at the same time. */
  readonly writerId: number;
  /** A process of core that shows no sign of life for this long is taken for dead by the others. */
  readonly memberDeadMs: number;
  readonly roles: ReadonlySet<Role>;
  readonly logLevel: LogLevel;
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const ADMIN_TOKEN_CHARS_MIN = 32;

const databaseUrl = z
  .url({ protocol: /^postgres(ql)?$/, error: 'must look like postgres://user:password@host:port/database' })
  .describe('required');

const list = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

const environment = z.object({
  CORE_HOST: z.string().min(1).default('127.0.0.1'),
  CORE_PORT: z.coerce.number().int().min(0).max(65_535).default(7_070),
  CORE_ADDRESS: z
    .string()
    .regex(/^(|[^:\s]+:\d{1,5}|\[[0-9a-fA-F:.]+\]:\d{1,5})$/, 'must be host:port')
    .default(''),
  DATABASE_URL: databaseUrl,
  KAFKA_BROKERS: z
    .string()
    .default('')
    .transform(list)
    .pipe(z.array(z.string().regex(/^[^:\s]+:\d{1,5}$/, 'must be host:port, separated by commas'))),
  REDIS_URL: z
    .union([z.literal(''), z.url({ protocol: /^rediss?$/ })], { error: 'must look like redis://host:port' })
    .default(''),
  EDGE_SIGNING_KEYS: z.string().transform((text, context) => {
    try {
      return parseSigningKeys(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'cannot be read' });
      return z.NEVER;
    }
  }),
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
  const values = parse(environment, env);
  return {
    host: values.CORE_HOST,
    port: values.CORE_PORT,
    address: values.CORE_ADDRESS === '' ? null : values.CORE_ADDRESS,
    databaseUrl: values.DATABASE_URL,
    kafkaBrokers: values.KAFKA_BROKERS,
    redisUrl: values.REDIS_URL === '' ? null : values.REDIS_URL,
    signingKeys: values.EDGE_SIGNING_KEYS,
    adminTokenDigest: values.ADMIN_TOKEN,
    writerId: values.WRITER_ID,
    memberDeadMs: values.MEMBER_DEAD_MS,
    roles: new Set(values.ROLES),
    logLevel: values.LOG_LEVEL,
  };
}

/** What the migration needs, and no more. */
export function readDatabaseUrl(env: NodeJS.ProcessEnv): string {
  return parse(environment.pick({ DATABASE_URL: true }), env).DATABASE_URL;
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
