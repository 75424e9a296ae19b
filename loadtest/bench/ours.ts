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
import { limits } from '../limits.ts';
import { type Caller, headerNames, sign } from '../signing.ts';
import type { Side, Surroundings } from './side.ts';

const created = z.object({ id: z.uuid() });

/** How many wallets are asked for at once. */
const CREATE_CONCURRENCY = 64;

/**
 * @param withRelay with the relay and a real broker, which belong to this side's cost; without, events stay in the
 *   ledger, as the other side's stay in its outbox
 */
export async function startOurs(surroundings: Surroundings, withRelay: boolean): Promise<Side> {
  const name = withRelay ? 'ours, with relay to Kafka' : 'ours';
  const dir = join(surroundings.dir, withRelay ? 'ours-relay' : 'ours');
  const databaseUrl = await surroundings.createDatabase(withRelay ? 'ours_relay' : 'ours');
  const [port = 0, kafkaPort = 0, controllerPort = 0] = await freePorts(3);
  surroundings.log(`Starting ${name} …`);
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
    environment: process.env,
    roles: withRelay ? ['api', 'relay'] : ['api'],
    logLevel: 'warn',
  });
  const [signingKey] = parseSigningKeys(signingText);
  const client = clientOf(port, (caller, unsigned) => sign(signingKey, caller, unsigned, Date.now()));
  const merchantId = await client({ type: 'operator' }, '/v1/merchants', { name: 'Bench' });
  const caller: Caller = { type: 'merchant', merchantId };
  const programId = await client(caller, '/v1/programs', { name: 'Bench', unit: 'PTS' });
  const walletIds = await createWallets(surroundings.walletCount, () =>
    client(caller, '/v1/wallets', { program_id: programId }),
  );
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  return {
    name,
    port,
    caller,
    signingKey,
    walletIds,
    pid: running(core.pid),
    kafkaPid: kafka?.pid ?? null,
    async countRows() {
      const [row] = await sql<{ count: number }[]>`select count(*)::int as count from transactions`;
      return row?.count ?? 0;
    },
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
