/**
 * What `npm start` was asked for: flags, then environment, then defaults; parsed once, every error reported at once.
 * The only file of the local stack that looks at the environment.
 */
import { join, resolve } from 'node:path';
import { limits } from './limits.ts';
import { defaultCacheDir, repositoryDir } from './places.ts';

export interface StackConfig {
  /** Delete the data of earlier runs first. */
  readonly fresh: boolean;
  /** Stop after the demo. */
  readonly once: boolean;
  readonly demo: boolean;
  /** Start a broker of our own (when none is given). */
  readonly kafka: boolean;
  readonly valkey: boolean;
  readonly walletCount: number;
  /** Processes of core; more than one share the ledger, behind one address. */
  readonly coreCount: number;
  /** Databases of the ledger, a Postgres each; every process of core commits to one of them. */
  readonly databaseCount: number;
  readonly dataDir: string;
  readonly cacheDir: string;
  readonly runDir: string;
  readonly logDir: string;
  readonly ports: StackPorts;
  /** Servers of somebody else, used instead of our own; `null`: ours. */
  readonly databaseUrl: string | null;
  readonly kafkaBrokers: readonly string[] | null;
  readonly redisUrl: string | null;
  readonly logLevel: string;
  /** What core and edge inherit. */
  readonly environment: NodeJS.ProcessEnv;
}

export interface StackPorts {
  readonly edge: number;
  readonly core: number;
  readonly postgres: number;
  readonly kafka: number;
  readonly kafkaController: number;
  readonly valkey: number;
}

export type ConfigOutcome =
  | { readonly kind: 'config'; readonly config: StackConfig }
  | { readonly kind: 'help' }
  | { readonly kind: 'errors'; readonly errors: readonly string[] };

interface Option {
  readonly kind: 'switch' | 'port' | 'path' | 'wallets' | 'cores' | 'databases';
  readonly fallback: string;
  readonly help: string;
}

/** Every option; the environment's name of `--edge-port` is `LOCAL_PLUS_EDGE_PORT`. */
const options = {
  fresh: { kind: 'switch', fallback: 'false', help: 'delete the data of earlier runs first' },
  once: { kind: 'switch', fallback: 'false', help: 'run the demo, stop everything, exit' },
  'no-demo': { kind: 'switch', fallback: 'false', help: 'create no demo merchant and wallets' },
  'no-kafka': { kind: 'switch', fallback: 'false', help: 'run without Kafka: events wait in the ledger' },
  'no-valkey': { kind: 'switch', fallback: 'false', help: 'run without Valkey' },
  'edge-port': { kind: 'port', fallback: '8787', help: 'where the edge listens' },
  'core-port': { kind: 'port', fallback: '7070', help: 'where core listens; several take the next ones, too' },
  'postgres-port': { kind: 'port', fallback: '54329', help: 'where Postgres listens; several take the next ones, too' },
  'kafka-port': { kind: 'port', fallback: '19092', help: 'where Kafka listens; its controller takes the next one' },
  'valkey-port': { kind: 'port', fallback: '16379', help: 'where Valkey listens' },
  cores: { kind: 'cores', fallback: '1', help: 'how many processes of core share the ledger' },
  databases: { kind: 'databases', fallback: '1', help: 'how many Postgres the ledger is in; a new --data only' },
  wallets: { kind: 'wallets', fallback: String(limits.walletsDefault), help: 'how many demo wallets there shall be' },
  data: { kind: 'path', fallback: join(repositoryDir, '.local'), help: 'the folder for data, logs and secrets' },
} as const satisfies Record<string, Option>;
type OptionName = keyof typeof options;

export function readConfig(): ConfigOutcome {
  return parseConfig(process.argv.slice(2), process.env);
}

export function parseConfig(argv: readonly string[], env: NodeJS.ProcessEnv): ConfigOutcome {
  if (argv.includes('--help') || argv.includes('-h')) return { kind: 'help' };
  const errors: string[] = [];
  const flags = parseFlags(argv, errors);
  const texts = new Map<OptionName, string>();
  for (const name of Object.keys(options) as OptionName[]) {
    const text = flags.get(name) ?? env[variableOf(name)] ?? '';
    const error = text === '' ? null : errorOf(options[name], text);
    if (error !== null) errors.push(`${flags.has(name) ? `--${name}` : variableOf(name)} ${error}, not "${text}".`);
    texts.set(name, text === '' || error !== null ? options[name].fallback : text);
  }
  const config = assemble((name) => texts.get(name) ?? options[name].fallback, env);
  errors.push(...portClashes(config), ...databaseErrors(config), ...addressErrors(config));
  return errors.length > 0 ? { kind: 'errors', errors } : { kind: 'config', config };
}

export function helpText(): string {
  const lines = Object.entries(options).map(([name, { kind, fallback, help }]) => {
    const flag = kind === 'switch' ? `--${name}` : `--${name} ${fallback.replace(repositoryDir, '.')}`;
    return `  ${flag.padEnd(26)} ${help}`;
  });
  return [
    'npm start [-- options]',
    '',
    ...lines,
    '',
    'Each option is an environment variable, too: --edge-port is LOCAL_PLUS_EDGE_PORT.',
    'DATABASE_URL, KAFKA_BROKERS and REDIS_URL point to servers of your own instead of starting ours.',
  ].join('\n');
}

function variableOf(name: OptionName): string {
  return `LOCAL_PLUS_${name.toUpperCase().replaceAll('-', '_')}`;
}

/** `--name value`, `--name=value`, `--switch`. What is none of these is an error each. */
function parseFlags(argv: readonly string[], errors: string[]): Map<OptionName, string> {
  const flags = new Map<OptionName, string>();
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? '';
    if (argument === '--') continue;
    const [, name = '', inline] = /^--([a-z-]+)(?:=(.*))?$/.exec(argument) ?? [];
    if (!isOption(name)) {
      errors.push(`There is no option ${argument}; \`npm start -- --help\` lists them.`);
      continue;
    }
    if (options[name].kind === 'switch') {
      flags.set(name, inline ?? 'true');
      continue;
    }
    const value = inline ?? argv[++index];
    if (value === undefined || value === '') errors.push(`--${name} needs a value.`);
    else flags.set(name, value);
  }
  return flags;
}

function isOption(name: string): name is OptionName {
  return Object.hasOwn(options, name);
}

function errorOf(option: Option, text: string): string | null {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  switch (option.kind) {
    case 'switch':
      return ['true', 'false', '1', '0'].includes(text) ? null : 'must be true or false';
    case 'port':
      return number >= 1 && number <= 65_534 ? null : 'must be a port, 1 to 65534';
    case 'wallets':
      return number >= 1 && number <= limits.walletsMax ? null : `must be 1 to ${limits.walletsMax}`;
    case 'cores':
      return number >= 1 && number <= limits.coresMax ? null : `must be 1 to ${limits.coresMax}`;
    case 'databases':
      return number >= 1 && number <= limits.databasesMax ? null : `must be 1 to ${limits.databasesMax}`;
    case 'path':
      return null;
  }
}

function assemble(text: (name: OptionName) => string, env: NodeJS.ProcessEnv): StackConfig {
  const { DATABASE_URL, KAFKA_BROKERS, REDIS_URL, LOG_LEVEL } = env;
  const on = (name: OptionName): boolean => ['true', '1'].includes(text(name));
  const dataDir = resolve(text('data'));
  const kafka = Number(text('kafka-port'));
  return {
    fresh: on('fresh'),
    once: on('once'),
    demo: !on('no-demo'),
    kafka: !on('no-kafka'),
    valkey: !on('no-valkey'),
    walletCount: Number(text('wallets')),
    coreCount: Number(text('cores')),
    databaseCount: Number(text('databases')),
    dataDir,
    cacheDir: defaultCacheDir,
    runDir: join(dataDir, 'run'),
    logDir: join(dataDir, 'logs'),
    ports: {
      edge: Number(text('edge-port')),
      core: Number(text('core-port')),
      postgres: Number(text('postgres-port')),
      kafka,
      kafkaController: kafka + 1,
      valkey: Number(text('valkey-port')),
    },
    databaseUrl: DATABASE_URL || null,
    kafkaBrokers: KAFKA_BROKERS ? KAFKA_BROKERS.split(',').map((broker) => broker.trim()) : null,
    redisUrl: REDIS_URL || null,
    logLevel: LOG_LEVEL || 'info',
    environment: env,
  };
}

/** Where each process of core listens: at the address of core itself when there is one only. */
export function corePorts({ ports, coreCount }: Pick<StackConfig, 'ports' | 'coreCount'>): readonly number[] {
  if (coreCount === 1) return [ports.core];
  return Array.from({ length: coreCount }, (_, index) => ports.core + 1 + index);
}

/** Where each database's Postgres listens. */
export function postgresPorts({
  ports,
  databaseCount,
}: Pick<StackConfig, 'ports' | 'databaseCount'>): readonly number[] {
  return Array.from({ length: databaseCount }, (_, index) => ports.postgres + index);
}

/** Its process, folder and log; counted from 0. The first one is where it always was. */
export function postgresName(index: number): 'postgres' | `postgres-${number}` {
  return index === 0 ? 'postgres' : `postgres-${index + 1}`;
}

/** The database that a process of core commits to, by turns; both are counted from 1. */
export function databaseOfCore({ databaseCount }: Pick<StackConfig, 'databaseCount'>, writerId: number): number {
  return ((writerId - 1) % databaseCount) + 1;
}

function portClashes(config: StackConfig): string[] {
  const errors: string[] = [];
  const owners = new Map<number, string>();
  const cores =
    config.coreCount === 1 ? [] : corePorts(config).map((port, index) => [`core-${index + 1}`, port] as const);
  const further = postgresPorts(config)
    .map((port, index) => [postgresName(index), port] as const)
    .slice(1);
  for (const [name, port] of [...Object.entries(config.ports), ...cores, ...further]) {
    const owner = owners.get(port);
    if (owner !== undefined) errors.push(`The ports of ${owner} and ${name} are the same, ${port}.`);
    owners.set(port, name);
  }
  return errors;
}

function databaseErrors({ databaseCount, coreCount, databaseUrl }: StackConfig): string[] {
  const errors: string[] = [];
  if (databaseCount > coreCount) {
    errors.push(`--databases ${databaseCount} needs a process of core for each: add --cores ${databaseCount} or more.`);
  }
  if (databaseCount > 1 && databaseUrl !== null) {
    errors.push('--databases starts Postgres servers of its own: it cannot be used with DATABASE_URL.');
  }
  return errors;
}

function addressErrors(config: StackConfig): string[] {
  const errors: string[] = [];
  const { databaseUrl, redisUrl, kafkaBrokers } = config;
  // Addresses hold passwords, so what is wrong is said without them.
  if (databaseUrl !== null && !/^postgres(ql)?:\/\/[^/]+/.test(databaseUrl)) {
    errors.push('DATABASE_URL must look like postgres://user:password@host:port/database.');
  }
  if (redisUrl !== null && !/^rediss?:\/\/[^/]+/.test(redisUrl)) {
    errors.push('REDIS_URL must look like redis://host:port.');
  }
  if (kafkaBrokers?.some((broker) => !/^[\w.[\]:-]+:\d{1,5}$/.test(broker))) {
    errors.push('KAFKA_BROKERS must be a comma-separated list of host:port.');
  }
  return errors;
}
