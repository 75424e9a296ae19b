/**
 * Core's own HTTP server (③) in front of TigerBeetle. The client batches by itself: what arrives while a request is on its
 * way shares the next one. The answer says no balance: TigerBeetle would have to be asked a second time, which is left out in
 * its favour. Variables: `PORT`, `SIGNING_KEYS`, `CLIENT` (the module), `CLUSTER_PORT`.
 */
import { hash } from 'node:crypto';
import { parseSigningKeys } from '@local-plus/contracts';
import { limits } from '../../../core/limits.ts';
import { createHttpServer, ProblemError } from '../../../core/platform/http/index.ts';
import { createLog, createMetrics } from '../../../core/platform/telemetry/index.ts';
import type { Tally } from './tigerbeetle.ts';

/** What of tigerbeetle-node is used here. */
interface Module {
  createClient(args: { cluster_id: bigint; replica_addresses: string[] }): Client;
  readonly CreateTransferStatus: { readonly created: number; readonly exists: number };
  readonly CreateAccountStatus: { readonly created: number };
}
interface Client {
  createAccounts(accounts: object[]): Promise<{ status: number }[]>;
  createTransfers(transfers: object[]): Promise<{ status: number; timestamp: bigint }[]>;
  lookupAccounts(ids: bigint[]): Promise<{ credits_posted: bigint; debits_posted: bigint }[]>;
  destroy(): void;
}

const LEDGER = 1;
const CODE = 1;
const CONTRA = 1n;
const ACCOUNTS_PER_REQUEST = 8_000;

const {
  PORT: port = '0',
  SIGNING_KEYS: signingKeys = '',
  CLIENT: module = '',
  CLUSTER_PORT: cluster = '0',
} = process.env;
const tigerbeetle = (await import(module)) as Module;
const client = tigerbeetle.createClient({ cluster_id: 0n, replica_addresses: [cluster] });
const { CreateTransferStatus: statuses, CreateAccountStatus: accountStatuses } = tigerbeetle;
let wallets: bigint[] = [];
let transfers = 0;
let posted = 0n;

const idOf = (uuid: string): bigint => BigInt(`0x${uuid.replaceAll('-', '')}`);
const noData = { user_data_128: 0n, user_data_64: 0n, user_data_32: 0, flags: 0, timestamp: 0n };

async function open(walletIds: readonly string[]): Promise<void> {
  wallets = walletIds.map(idOf);
  const zero = { debits_pending: 0n, debits_posted: 0n, credits_pending: 0n, credits_posted: 0n, reserved: 0 };
  for (const ids of chunks([CONTRA, ...wallets])) {
    const results = await client.createAccounts(
      ids.map((id) => ({ id, ...zero, ...noData, ledger: LEDGER, code: CODE })),
    );
    if (results.some(({ status }) => status !== accountStatuses.created)) throw new Error('an account was not created');
  }
}

function chunks(ids: readonly bigint[]): bigint[][] {
  return Array.from({ length: Math.ceil(ids.length / ACCOUNTS_PER_REQUEST) }, (_, index) =>
    ids.slice(index * ACCOUNTS_PER_REQUEST, (index + 1) * ACCOUNTS_PER_REQUEST),
  );
}

async function tally(): Promise<Tally> {
  let credits = 0n;
  for (const ids of chunks(wallets)) {
    for (const account of await client.lookupAccounts(ids)) credits += account.credits_posted;
  }
  const [contra] = await client.lookupAccounts([CONTRA]);
  return { transfers, credits: String(credits), debits: String(contra?.debits_posted ?? 0n), posted: String(posted) };
}

const server = createHttpServer({
  host: '127.0.0.1',
  port: Number(port),
  signingKeys: parseSigningKeys(signingKeys),
  handlers: {
    async 'wallets.earn'({ params, body, idempotencyKey }) {
      const walletId = params[0] ?? '';
      // The key of a transfer is its id: the wallet's idempotency key, hashed.
      const id = idOf(hash('sha256', `${walletId}/${idempotencyKey}`, 'hex').slice(0, 32));
      if (body.amount === undefined) throw new ProblemError('invalid_request');
      const amount = BigInt(body.amount);
      const accounts = { debit_account_id: CONTRA, credit_account_id: idOf(walletId) };
      const [result] = await client.createTransfers([
        { id, ...accounts, amount, pending_id: 0n, ...noData, timeout: 0, ledger: LEDGER, code: CODE },
      ]);
      if (result?.status !== statuses.created && result?.status !== statuses.exists) throw new ProblemError('internal');
      if (result.status === statuses.created) {
        transfers++;
        posted += amount;
      }
      return {
        status: 201,
        body: `{"id":"${id.toString(16)}","wallet_id":"${walletId}","kind":"earn","amount":${body.amount},"unit":"PTS","created_at":"${new Date(Number(result.timestamp / 1_000_000n)).toISOString()}"}`,
      };
    },
  },
  findKeyGrant: null,
  listRevocations: null,
  readGenerations: null,
  explain: () => null,
  readiness: () => ({ ok: wallets.length > 0, reasons: [], parts: {} }),
  openapi: '{}',
  log: createLog('warn'),
  metrics: createMetrics(),
  limits,
});
await server.listen();

process.on('message', (order: { type: 'open'; walletIds: string[] } | { type: 'tally' }) => {
  const answer = order.type === 'open' ? open(order.walletIds).then(() => ({})) : tally();
  answer.then(
    (value) => process.send?.(value),
    (error: unknown) => process.send?.({ failed: String(error) }),
  );
});
process.on('SIGTERM', () => {
  client.destroy();
  server.stop().then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
