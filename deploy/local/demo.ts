/**
 * The demo: what a user would do first, through the edge only. One earn, one burn, the same burn again, the balance;
 * each transaction seen arriving on Kafka; as a small table with the time that everything took.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type Answer, createDemoClient, type DemoClient } from './demo-client.ts';
import { type LedgerListener, listenToLedger } from './demo-events.ts';
import { created, type DemoTenant, setUpDemo } from './demo-setup.ts';
import { StartError } from './errors.ts';

export interface DemoOptions {
  readonly edgeUrl: string;
  readonly adminToken: string;
  /** `null`: no Kafka, nothing to see arriving. */
  readonly kafkaBrokers: readonly string[] | null;
  readonly dataDir: string;
  readonly walletCount: number;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface DemoOutcome {
  readonly tenant: DemoTenant;
  /** Ready to print. */
  readonly table: string;
}

interface Row {
  readonly what: string;
  readonly answer: Answer;
  readonly balance: number;
  readonly version: number;
  readonly onKafka: string;
}

const transaction = z.looseObject({ id: z.string(), balance_after: z.int(), version: z.int() });
const balance = z.looseObject({ balance: z.int(), version: z.int() });
const catalogPage = z.looseObject({ data: z.array(z.unknown()) });

/** A StartError when anything is not as it has to be: the demo is also the stack's own smoke test. */
export async function runDemo(options: DemoOptions): Promise<DemoOutcome> {
  const client = createDemoClient(options.edgeUrl, options.signal);
  const tenant = await setUpDemo({ ...options, client });
  await client.expect({ method: 'GET', path: '/v1/catalog' }, 200, catalogPage);
  const listener = options.kafkaBrokers === null ? null : await listenToLedger(options.kafkaBrokers);
  try {
    options.log('one earn, one burn, one replay');
    return { tenant, table: table(await walkThrough(client, tenant, listener)) };
  } finally {
    await listener?.close();
  }
}

async function walkThrough(client: DemoClient, tenant: DemoTenant, listener: LedgerListener | null): Promise<Row[]> {
  const token = tenant.apiKey;
  const wallet = await client.expect(
    {
      method: 'POST',
      path: '/v1/wallets',
      token,
      idempotencyKey: randomUUID(),
      body: { program_id: tenant.programId },
    },
    201,
    created,
  );
  const walletId = wallet.parsed.id;
  const post = async (what: string, kind: 'earn' | 'burn', amount: number, idempotencyKey: string): Promise<Row> => {
    const path = `/v1/wallets/${walletId}/${kind}`;
    const body = { amount, reference: 'demo' };
    const answer = await client.expect({ method: 'POST', path, token, idempotencyKey, body }, 201, transaction);
    const { balance_after: balance, version } = answer.parsed;
    const onKafka = answer.replayed ? 'not again' : await arrival(listener, walletId, version, answer);
    return { what, answer, balance, version, onKafka };
  };
  const burnKey = randomUUID();
  const rows = [
    await post('earn 500', 'earn', 500, randomUUID()),
    await post('burn 120', 'burn', 120, burnKey),
    await post('burn 120, same key', 'burn', 120, burnKey),
  ];
  const now = await client.expect({ method: 'GET', path: `/v1/wallets/${walletId}/balance`, token }, 200, balance);
  rows.push({ what: 'balance', answer: now, balance: now.parsed.balance, version: now.parsed.version, onKafka: '' });
  const asExpected = rows.map((row) => `${row.balance}/${row.version}/${row.answer.replayed}`).join(' ');
  const wanted = '500/1/false 380/2/false 380/2/true 380/2/false';
  if (asExpected !== wanted) {
    throw new StartError(`The demo's balances, versions and replays should be ${wanted}, and are ${asExpected}.`);
  }
  return rows;
}

async function arrival(
  listener: LedgerListener | null,
  walletId: string,
  version: number,
  answer: Answer,
): Promise<string> {
  if (listener === null) return 'waits in the ledger';
  const seen = await listener.arrivalOf(walletId, version);
  if (seen === null) throw new StartError(`Version ${version} of wallet ${walletId} did not arrive on Kafka.`);
  const afterMs = seen.atMs - answer.answeredAtMs;
  const when = afterMs < 0 ? 'before the answer' : `${afterMs.toFixed(1)} ms after the answer`;
  return `${when} (partition ${seen.partition}, offset ${seen.offset})`;
}

function table(rows: readonly Row[]): string {
  const cells = [
    ['', 'status', 'replayed', 'balance', 'version', 'answered in', 'on Kafka'],
    ...rows.map(({ what, answer, balance, version, onKafka }) => [
      what,
      String(answer.status),
      answer.replayed ? 'true' : '',
      String(balance),
      String(version),
      `${answer.tookMs.toFixed(1)} ms`,
      onKafka,
    ]),
  ];
  const widths = cells[0]?.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0))) ?? [];
  return cells
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}
