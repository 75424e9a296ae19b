/**
 * The system as its user has it: one command, then requests through the edge, wrong ones, a killed core, a load, and the
 * reconciler's verdict. The stack is its own, in a folder of its own, on free ports.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type ProblemCode,
  parseSigningKeys,
  problemSchema,
  problemTable,
  uuidV7,
  wallets,
} from '@local-plus/contracts';
import { reconcile } from '../reconcile/index.ts';
import { headerNames, sign } from '../signing.ts';
import type { Stack } from '../stack.ts';
import { flagsOfFreePorts, repositoryDir, type StackProcess, startStack } from '../stack-process.ts';

interface Call {
  readonly method?: string;
  readonly path?: string;
  readonly key?: string | null;
  readonly body?: string;
  readonly type?: string | null;
  readonly authorization?: string | null;
}

/** Ten a second, for as long as the stack gives core to start. */
const TRIES_MAX = 600;

describe('the stack, as npm start brings it up', () => {
  const dir = mkdtempSync(join(tmpdir(), 'local-plus-e2e-'));
  const dataDir = join(dir, 'data');
  let process_: StackProcess;
  let stack: Stack;

  before(async () => {
    process_ = await startStack(dataDir, [...(await flagsOfFreePorts()), '--wallets', '50'], () => undefined);
    stack = process_.read();
  });
  after(async () => {
    await process_.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const wallet = (index: number) => stack.wallet_ids[index] as string;

  function headersOf(call: Call): Record<string, string> {
    const { authorization = `Bearer ${stack.api_key}`, key = uuidV7(Date.now()), type = 'application/json' } = call;
    return {
      ...(authorization === null ? {} : { authorization }),
      ...(key === null ? {} : { 'idempotency-key': key }),
      ...(type === null || call.method === 'GET' ? {} : { 'content-type': type }),
    };
  }

  async function throughEdge(call: Call): Promise<Response> {
    const { method = 'POST', path = `/v1/wallets/${wallet(0)}/earn`, body } = call;
    return fetch(stack.edge_url + path, { method, headers: headersOf(call), ...(body === undefined ? {} : { body }) });
  }

  async function straightToCore(call: Call): Promise<Response> {
    const { method = 'POST', path = `/v1/wallets/${wallet(0)}/earn`, body } = call;
    const headers = headersOf({ ...call, authorization: null });
    const caller = { type: 'merchant', merchantId: stack.merchant_id } as const;
    const idempotencyKey = headers['idempotency-key'] ?? '';
    const [signingKey] = parseSigningKeys(stack.signing_key);
    const request = { method: method as 'POST', target: path, idempotencyKey, body: body ?? '' };
    const signed = sign(signingKey, caller, request, Date.now());
    headers[headerNames.context] = signed.context;
    headers[headerNames.signature] = signed.signature;
    return fetch(stack.core_url + path, { method, headers, ...(body === undefined ? {} : { body }) });
  }

  async function balance(walletId: string): Promise<wallets.WalletBalance> {
    const answer = await throughEdge({ method: 'GET', path: `/v1/wallets/${walletId}/balance`, key: null });
    return wallets.walletBalance.parse(await answer.json());
  }

  it('shows its demo: an earn, a burn, a replay, and their events', () => {
    const said = readFileSync(join(dataDir, 'stack.log'), 'utf8');
    assert.match(said, /earn 500\s+201\s+500\s+1 .*after the answer|earn 500\s+201\s+500\s+1 .*before the answer/);
    assert.match(said, /burn 120\s+201\s+380\s+2 .*on Kafka|burn 120\s+201\s+380\s+2 .*the answer/);
    assert.match(said, /burn 120, same key\s+201\s+true\s+380\s+2/);
  });

  it('answers the first request of the README, the same again, and refuses its key for another', async () => {
    const first = await throughEdge({ key: 'order-1001', body: '{"amount": 250, "reference": "order-1001"}' });
    const again = await throughEdge({ key: 'order-1001', body: '{"amount": 250, "reference": "order-1001"}' });
    const other = await throughEdge({ key: 'order-1001', body: '{"amount": 251, "reference": "order-1001"}' });
    assert.deepEqual([first.status, again.status, other.status], [201, 201, 422]);
    const transaction = wallets.transaction.parse(await first.json());
    assert.deepEqual(await again.json(), transaction);
    assert.deepEqual(
      [first.headers.get('idempotent-replayed'), again.headers.get('idempotent-replayed')],
      [null, 'true'],
    );
    assert.equal((await balance(wallet(0))).version, transaction.version);
    const read = await throughEdge({ method: 'GET', path: `/v1/transactions/${transaction.id}`, key: null });
    const { entries } = wallets.transactionWithEntries.parse(await read.json());
    assert.equal(
      entries.reduce((sum, { amount }) => sum + amount, 0),
      0,
    );
  });

  it('one key, a hundred times at once: one effect, one body', async () => {
    const before = await balance(wallet(1));
    const ask = () => throughEdge({ path: `/v1/wallets/${wallet(1)}/earn`, key: 'hundred', body: '{"amount":7}' });
    const answers = await Promise.all(Array.from({ length: 100 }, ask));
    assert.ok(answers.every(({ status }) => status === 201));
    assert.equal(new Set(await Promise.all(answers.map((answer) => answer.text()))).size, 1);
    const now = await balance(wallet(1));
    assert.deepEqual([now.balance - before.balance, now.version - before.version], [7, 1]);
  });

  const deep = `{"amount":1,"metadata":${'['.repeat(40)}${']'.repeat(40)}}`;
  /** Each row: what is sent, and the code it is refused with, at the edge and by core. */
  const refusals: readonly (readonly [string, Call, ProblemCode])[] = [
    ['malformed JSON', { body: '{"amount":1' }, 'invalid_json'],
    ['too deep', { body: deep }, 'invalid_json'],
    ['a duplicate member', { body: '{"amount":1,"amount":2}' }, 'invalid_json'],
    ['1e400', { body: '{"amount":1e400}' }, 'invalid_json'],
    ['2^53+1', { body: '{"amount":9007199254740993}' }, 'invalid_json'],
    ['NUL', { body: '{"amount":1,"reference":"a\\u0000"}' }, 'invalid_json'],
    ['an unknown member', { body: '{"amount":1,"bonus":true}' }, 'invalid_request'],
    ['0', { body: '{"amount":0}' }, 'invalid_request'],
    ['-1', { body: '{"amount":-1}' }, 'invalid_request'],
    ['1.5', { body: '{"amount":1.5}' }, 'invalid_request'],
    ['"5"', { body: '{"amount":"5"}' }, 'invalid_request'],
    ['no body', {}, 'invalid_json'],
    ['too large', { body: `{"amount":1,"reference":"${'x'.repeat(20_000)}"}` }, 'payload_too_large'],
    ['a wrong media type', { body: '{"amount":1}', type: 'text/plain' }, 'unsupported_media_type'],
    ['no key', { body: '{"amount":1}', key: null }, 'idempotency_key_missing'],
    ['a key with a space', { body: '{"amount":1}', key: 'a b' }, 'idempotency_key_invalid'],
    ['an unknown wallet', { body: '{"amount":1}', path: `/v1/wallets/${uuidV7(1)}/earn` }, 'not_found'],
    ['no wallet id', { body: '{"amount":1}', path: '/v1/wallets/x/earn' }, 'not_found'],
    ['an unknown path', { body: '{"amount":1}', path: '/v1/points' }, 'not_found'],
    ['a wrong method', { method: 'PUT', body: '{"amount":1}', path: '/v1/wallets' }, 'method_not_allowed'],
  ];
  for (const [name, call, code] of refusals) {
    it(`refuses ${name} with ${code}, at the edge and in core, and nothing changes`, async () => {
      const before = await balance(wallet(0));
      for (const send of [throughEdge, straightToCore]) {
        const answer = await send(call);
        const problem = problemSchema.parse(await answer.json());
        assert.deepEqual([problem.code, answer.status], [code, problemTable[code].status], send.name);
        assert.equal(answer.headers.get('content-type'), 'application/problem+json');
        assert.equal(answer.headers.get('x-request-id'), problem.request_id);
      }
      assert.equal((await balance(wallet(0))).version, before.version);
    });
  }

  it('refuses a wrong API key, or none, at the edge; an unsigned request in core', async () => {
    const body = '{"amount":1}';
    for (const authorization of [null, 'Bearer lp_live_wrong', 'Basic x', `Bearer ${stack.api_key}x`]) {
      const answer = await throughEdge({ authorization, body });
      assert.equal(problemSchema.parse(await answer.json()).code, 'unauthenticated');
    }
    const path = `${stack.core_url}/v1/wallets/${wallet(0)}/earn`;
    const unsigned = await fetch(path, { method: 'POST', headers: headersOf({}), body });
    assert.equal(problemSchema.parse(await unsigned.json()).code, 'signature_invalid');
  });

  it('survives the death of core: clear problems meanwhile, the same key finds the outcome, the stack restarts it', async () => {
    const pid = process_.read().pids.core;
    assert.ok(pid !== null);
    const walletId = wallet(2);
    const before = await balance(walletId);
    process.kill(pid, 'SIGKILL');
    const statuses = new Set<number>();
    let settled: Response | null = null;
    for (let attempt = 0; settled === null; attempt++) {
      assert.ok(attempt < TRIES_MAX, 'core never came back');
      const answer = await throughEdge({ path: `/v1/wallets/${walletId}/earn`, key: 'survivor', body: '{"amount":9}' });
      if (answer.status === 201) settled = answer;
      else {
        assert.ok(problemSchema.parse(await answer.json()).retryable, String(answer.status));
        statuses.add(answer.status);
        await delay(100);
      }
    }
    for (const status of statuses) assert.ok([502, 503, 504].includes(status), `a clear error: ${status}`);
    const now = await balance(walletId);
    assert.deepEqual([now.balance - before.balance, now.version - before.version], [9, 1]);
    assert.notEqual(process_.read().pids.core, pid);
  });

  it('carries the smoke load, and everything reconciles', async () => {
    const args = ['deploy/bootstrap.mjs', 'loadtest/run.ts', 'smoke', '--stack', process_.stackFile];
    const child = spawn(process.execPath, args, { cwd: repositoryDir, stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (chunk) => {
      said += chunk;
    });
    const [code] = (await new Promise<[number | null]>((resolve) => child.on('exit', (exit) => resolve([exit])))) as [
      number | null,
    ];
    assert.equal(code, 0, said);
    assert.match(said, /Nothing lost, nothing doubled, everything balances/);
    const { isClean } = await reconcile(process_.read(), [], () => undefined);
    assert.ok(isClean);
  });

  it('ends with its command, and leaves nothing running', async () => {
    const pids = Object.values(process_.read().pids).filter((pid) => pid !== null);
    assert.ok(pids.length >= 3);
    await process_.stop();
    assert.equal(existsSync(process_.stackFile), false);
    for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' }, `process ${pid} still runs`);
  });
});
