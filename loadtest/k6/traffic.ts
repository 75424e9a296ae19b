/**
 * The requests: one write or one read per iteration, checked by its status alone. The generator shares its machine
 * with the system, so it parses nothing: an answer is written to the record as it came, and the reconciler reads it.
 *
 * A line of the record (`--console-output`, format raw) is JSON, see loadtest/reconcile/record.ts.
 */
import { check } from 'k6';
import exec from 'k6/execution';
import http, { type RefinedResponse } from 'k6/http';
import { isReplay, type PlannedWrite, planRead, planWrite } from './plan.ts';
import { authorization, edgeUrl, run, walletIds } from './stack.ts';

/** k6's own; its types leave it to the DOM's. */
declare const console: { log(line: string): void };

type Answer = RefinedResponse<'text'>;

interface SentWrite extends PlannedWrite {
  readonly key: string;
  readonly walletId: string;
  readonly status: number;
  readonly body: string;
}

const created = http.expectedStatuses(201);
const createdOrRefused = http.expectedStatuses(201, 409);
const readParams = { responseType: 'none', headers: { authorization } } as const;
const balanceParams = { ...readParams, tags: { name: 'balance' } };
const catalogParams = { ...readParams, tags: { name: 'catalog' } };

const checks = {
  earn: { 'an earn answers 201': (answer: Answer) => answer.status === 201 },
  burn: { 'a burn answers 201, or 409 insufficient_funds': isBurnAnswer },
  read: { 'a read answers 200': (answer: { status: number }) => answer.status === 200 },
};

/** What this virtual user wrote last; it is what it repeats. */
let last: SentWrite | null = null;

export function write(): void {
  const n = exec.scenario.iterationInTest;
  if (last !== null && isReplay(n)) {
    repeat(last);
    return;
  }
  const planned = planWrite(n, walletIds.length);
  const key = `${run}.${exec.scenario.name}.${n}`;
  const walletId = walletIds[planned.walletIndex] as string;
  const answer = post(planned, walletId, key, planned.kind);
  check(answer, planned.kind === 'earn' ? checks.earn : checks.burn);
  const isFinal = answer.status === 201 || answer.status === 409;
  last = isFinal ? { ...planned, key, walletId, status: answer.status, body: answer.body } : null;
}

export function read(): void {
  const { walletIndex } = planRead(exec.scenario.iterationInTest, walletIds.length);
  const answer =
    walletIndex === null
      ? http.get(`${edgeUrl}/v1/catalog`, catalogParams)
      : http.get(`${edgeUrl}/v1/wallets/${walletIds[walletIndex]}/balance`, balanceParams);
  check(answer, checks.read);
}

/** The same key and body again: the answer must be the first one, word for word. A refusal names its own request. */
function repeat(first: SentWrite): void {
  const answer = post(first, first.walletId, first.key, 'replay');
  check(answer, {
    'a replay answers as the first time': () =>
      answer.status === first.status &&
      answer.headers['Idempotent-Replayed'] === 'true' &&
      (first.status !== 201 || answer.body === first.body),
  });
}

function post(planned: PlannedWrite, walletId: string, key: string, name: string): Answer {
  const { kind, amount } = planned;
  const answer = http.post(`${edgeUrl}/v1/wallets/${walletId}/${kind}`, `{"amount":${amount}}`, {
    responseType: 'text',
    responseCallback: kind === 'earn' ? created : createdOrRefused,
    headers: { authorization, 'content-type': 'application/json', 'idempotency-key': key },
    tags: { name },
  });
  record(planned, walletId, key, answer, name === 'replay');
  return answer;
}

function record(planned: PlannedWrite, walletId: string, key: string, answer: Answer, isReplay: boolean): void {
  const { kind, amount } = planned;
  const body = answer.status === 201 || answer.status === 409 ? answer.body : 'null';
  console.log(
    `{"key":"${key}","wallet_id":"${walletId}","kind":"${kind}","amount":${amount},"status":${answer.status},"replay":${isReplay},"answer":${body}}`,
  );
}

function isBurnAnswer(answer: Answer): boolean {
  if (answer.status === 201) return true;
  return answer.status === 409 && answer.body.includes('"insufficient_funds"');
}
