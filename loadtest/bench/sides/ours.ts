/**
 * Our side: core, started as the stack starts it, its merchant, program and wallets made through its own API.
 */
import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { parseSigningKeys, uuidV7 } from '@local-plus/contracts';
import { freePorts, startCore, startKafka } from '@local-plus/deploy';
import postgres from 'postgres';
import { z } from 'zod';
import { limits } from '../../limits.ts';
import { type Caller, headerNames, sign } from '../../signing.ts';
import type { HttpSide, Surroundings } from '../side.ts';
import { auditLedger, countBatches, countBusy, countWritten } from './audits.ts';

const created = z.object({ id: z.uuid() });

/** How many wallets are asked for at once. */
const CREATE_CONCURRENCY = 64;

export interface OursOptions {
  /**
   * With the relay and a real broker, which belong to this side's cost; without, events stay in the ledger, as the other
   * sides' stay in their outbox.
   */
  readonly withRelay?: boolean;
  /** Of the folder and the database, when there are several. */
  readonly label?: string;
  /** How it is called in tables. */
  readonly title?: string;
  /** The program; core's own when absent. */
  readonly entry?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Makes the wallets, past the API; core runs already and has seen none of them. Returns their ids. */
  readonly fill?: (databaseUrl: string, tenant: Tenant) => Promise<readonly string[]>;
  /** Of the program: point expiry and the like. */
  readonly program?: Readonly<Record<string, unknown>>;
}

export interface OurSide extends HttpSide {
  readonly databaseUrl: string;
}

export interface Tenant {
  readonly merchantId: string;
  readonly programId: string;
}

export async function startOurs(surroundings: Surroundings, options: OursOptions = {}): Promise<OurSide> {
  const { withRelay = false, label = withRelay ? 'ours-relay' : 'ours' } = options;
  const { title: name = withRelay ? 'ours, with relay to Kafka' : 'ours' } = options;
  const dir = join(surroundings.dir, label);
  const databaseUrl = await surroundings.createDatabase(label.replaceAll('-', '_'));
  const [port = 0, kafkaPort = 0, controllerPort = 0] = await freePorts(3);
  surroundings.log(`Starting ${label} …`);
  const kafka = withRelay
    ? await startKafka({ dataDir: join(dir, 'kafka'), port: kafkaPort, controllerPort, log: surroundings.log })
    : null;
  const signingText = `k1:${randomBytes(32).toString('base64url')}`;
  const core = await startCore({
    port,
    runDir: join(dir, 'run'),
    logDir: join(dir, 'logs'),
    databaseUrl,
    kafkaBrokers: kafka?.brokers ?? [],
    redisUrl: null,
    signingKeys: [signingText],
    adminToken: randomBytes(32).toString('base64url'),
    environment: { ...process.env, ...options.environment },
    roles: withRelay ? ['api', 'relay'] : ['api'],
    logLevel: 'warn',
    ...(options.entry === undefined ? {} : { entry: options.entry }),
  });
  const [signingKey] = parseSigningKeys(signingText);
  const client = clientOf(port, (caller, unsigned) => sign(signingKey, caller, unsigned, Date.now()));
  const merchantId = await client({ type: 'operator' }, '/v1/merchants', { name: 'Bench' });
  const caller: Caller = { type: 'merchant', merchantId };
  const programId = await client(caller, '/v1/programs', { name: 'Bench', unit: 'PTS', ...options.program });
  const walletIds = options.fill
    ? await options.fill(databaseUrl, { merchantId, programId })
    : await createWallets(surroundings.walletCount, () => client(caller, '/v1/wallets', { program_id: programId }));
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  return {
    kind: 'http',
    name,
    databaseUrl,
    port,
    caller,
    signingKey,
    walletIds,
    mayRefuse: false,
    pid: running(core.pid),
    brokerPid: kafka?.pid ?? null,
    countRows: () => countWritten(sql),
    countBusy: () => countBusy(sql),
    countBatches: () => countBatches(sql),
    audit: () => auditLedger(sql),
    async stop() {
      await sql.end({ timeout: 5 });
      await core.stop();
      await kafka?.stop();
    },
  };
}

function running(pid: number | null): number {
  if (pid === null) throw new Error('a server that has started has a process');
  return pid;
}

async function createWallets(count: number, create: () => Promise<string>): Promise<string[]> {
  const ids: string[] = [];
  const worker = async (): Promise<void> => {
    while (ids.length + CREATE_CONCURRENCY <= count) ids.push(await create());
  };
  await Promise.all(Array.from({ length: CREATE_CONCURRENCY }, worker));
  while (ids.length < count) ids.push(await create());
  return ids;
}

type Sign = (caller: Caller, unsigned: Parameters<typeof sign>[2]) => ReturnType<typeof sign>;

/** Creates something and returns its id; throws when the answer is not 201. */
function clientOf(port: number, signed: Sign) {
  const agent = new Agent({ keepAlive: true, maxSockets: CREATE_CONCURRENCY });
  return async (caller: Caller, target: string, content: object): Promise<string> => {
    const body = JSON.stringify(content);
    const idempotencyKey = uuidV7(Date.now());
    const { context, signature } = signed(caller, { method: 'POST', target, idempotencyKey, body });
    const headers = {
      [headerNames.context]: context,
      [headerNames.signature]: signature,
      'idempotency-key': idempotencyKey,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    const answer = await send({ agent, port, path: target, headers, body });
    if (answer.status !== 201) throw new Error(`POST ${target} answered ${answer.status}: ${answer.text}`);
    return created.parse(JSON.parse(answer.text)).id;
  };
}

interface Sendable {
  readonly agent: Agent;
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: string;
}

function send({ agent, port, path, headers, body }: Sendable): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sending = request(
      { agent, host: '127.0.0.1', port, method: 'POST', path, headers, timeout: limits.requestMs },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.once('error', reject);
      },
    );
    sending.once('timeout', () => sending.destroy(new Error(`no answer within ${limits.requestMs} ms`)));
    sending.once('error', reject);
    sending.end(body);
  });
}
