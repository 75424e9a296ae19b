/**
 * Wire ↔ ledger: earn, burn, balance, history. ④ finds the account's terms, ⑤–⑧ are the runtime's, the outcome becomes
 * the answer.
 *
 * Tenancy: another merchant's account answers exactly as one that does not exist.
 */
import { hash } from 'node:crypto';
import type { AccountState, Outcome, Runtime } from '@local-plus/actors';
import {
  type AccountId,
  type MerchantId,
  type ProblemCode,
  type ProgramId,
  parseId,
  type wallets,
} from '@local-plus/contracts';
import {
  type CoreAnswer,
  type CoreRequest,
  type Handlers,
  ProblemError,
  replayedHeaders,
} from '../platform/http/index.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import type { LedgerReads } from './reads.ts';
import { refusalProblem, transactionJson, transactionWithEntriesJson } from './wire.ts';

/** What the ledger has to know of an account that is not in its rows. */
export interface AccountTerms {
  readonly accountId: AccountId;
  readonly merchantId: MerchantId;
  readonly programId: ProgramId;
  /** Capital letters: it goes to the wire unescaped. */
  readonly unit: string;
}

/** Who knows the accounts: at once when it is in memory. */
export interface AccountDirectory {
  find(accountId: AccountId): AccountTerms | null | Promise<AccountTerms | null>;
}

export interface HandlerPorts {
  readonly runtime: Runtime;
  readonly reads: LedgerReads;
  readonly accounts: AccountDirectory;
  readonly nowMs: () => number;
}

type PostRoute = 'wallets.earn' | 'wallets.burn';

const failures: Readonly<Record<Exclude<Outcome['type'], 'posted' | 'refused'>, ProblemCode>> = {
  key_reused: 'idempotency_key_reused',
  overloaded: 'overloaded',
  expired: 'deadline_exceeded',
  unavailable: 'unavailable',
  failed: 'internal',
};

export function ledgerHandlers(ports: HandlerPorts): Handlers {
  return {
    'wallets.earn': (request) => post(ports, 'earn', request),
    'wallets.burn': (request) => post(ports, 'burn', request),
    'wallets.balance': (request) => balance(ports, request),
    'wallets.transactions': (request) => history(ports, request),
    'transactions.read': (request) => one(ports, request),
  };
}

function post(ports: HandlerPorts, kind: 'earn' | 'burn', request: CoreRequest<PostRoute>): Promise<CoreAnswer> {
  const found = termsOf(ports, request);
  if (found instanceof Promise) return found.then((terms) => postTo(ports, kind, request, terms));
  return postTo(ports, kind, request, found);
}

function postTo(
  ports: HandlerPorts,
  kind: 'earn' | 'burn',
  request: CoreRequest<PostRoute>,
  terms: AccountTerms,
): Promise<CoreAnswer> {
  const { body, idempotencyKey } = request;
  if (idempotencyKey === null) throw new ProblemError('idempotency_key_missing');
  const posted = ports.runtime.submit({
    facts: {
      accountId: terms.accountId,
      programId: terms.programId,
      idempotencyKey,
      requestHash: requestHash(kind, body),
      requestId: request.requestId,
      traceparent: request.traceparent,
      reference: body.reference ?? null,
      metadata: body.metadata === undefined ? null : JSON.stringify(body.metadata),
    },
    command: { kind, amount: body.amount, programId: terms.programId },
    deadlineMs: request.deadlineMs,
  });
  return posted.then((outcome) => answer(outcome, terms.unit));
}

function answer(outcome: Outcome, unit: string): CoreAnswer {
  if (outcome.type === 'posted') {
    return durable(201, transactionJson(outcome.row, outcome.transactionId, unit), outcome.replayed);
  }
  if (outcome.type === 'refused') {
    const problem = refusalProblem(outcome.row);
    return durable(problem.status, JSON.stringify(problem), outcome.replayed);
  }
  throw new ProblemError(failures[outcome.type]);
}

function durable(status: number, body: string, replayed: boolean): CoreAnswer {
  return replayed ? { status, body, headers: replayedHeaders } : { status, body };
}

/** 128 bits over what the request asks: members in a fixed order, so that equal requests are equal however written. */
export function requestHash(kind: string, body: wallets.Post): string {
  const metadata = Object.entries(body.metadata ?? {}).sort(([left], [right]) => (left < right ? -1 : 1));
  return hash('sha256', JSON.stringify([kind, body.amount, body.reference ?? null, metadata]), 'hex').slice(0, 32);
}

function termsOf(
  ports: HandlerPorts,
  request: Pick<CoreRequest, 'params' | 'context'>,
): AccountTerms | Promise<AccountTerms> {
  const accountId = parseId<AccountId>(request.params[0] ?? '');
  if (accountId === null) throw new ProblemError('not_found');
  const found = ports.accounts.find(accountId);
  if (found instanceof Promise) return found.then((terms) => owned(terms, request));
  return owned(found, request);
}

/** The operator sees every account, a merchant its own. */
function owned(terms: AccountTerms | null, { context }: Pick<CoreRequest, 'context'>): AccountTerms {
  if (terms === null) throw new ProblemError('not_found');
  if (context.merchantId !== null && context.merchantId !== terms.merchantId) throw new ProblemError('not_found');
  return terms;
}

async function committedState(runtime: Runtime, accountId: AccountId): Promise<AccountState> {
  const state = await runtime.read(accountId);
  if (state === null) throw new ProblemError('unavailable');
  return state;
}

async function balance(ports: HandlerPorts, request: CoreRequest<'wallets.balance'>): Promise<CoreAnswer> {
  const terms = await termsOf(ports, request);
  const state = await committedState(ports.runtime, terms.accountId);
  const moment = request.queryValues.as_of;
  if (moment === undefined) return balanceAnswer(terms, state, ports.nowMs());
  const then = await ports.reads.at(terms.accountId, state.version, moment);
  const past = then === null ? { version: 0, balance: 0, held: 0 } : pastState(then.posting);
  return balanceAnswer(terms, past, Date.parse(moment));
}

function pastState(posting: { version: number; balanceAfter: number; heldAfter: number }) {
  return { version: posting.version, balance: posting.balanceAfter, held: posting.heldAfter };
}

function balanceAnswer(
  terms: AccountTerms,
  state: Pick<AccountState, 'version' | 'balance' | 'held'>,
  asOfMs: number,
): CoreAnswer {
  const { balance, held, version } = state;
  const answer: wallets.WalletBalance = {
    wallet_id: terms.accountId,
    unit: terms.unit,
    balance,
    held,
    available: balance - held,
    version,
    as_of: new Date(asOfMs).toISOString(),
  };
  return { status: 200, body: JSON.stringify(answer) };
}

async function history(ports: HandlerPorts, request: CoreRequest<'wallets.transactions'>): Promise<CoreAnswer> {
  const { limit, cursor } = request.queryValues;
  const terms = await termsOf(ports, request);
  const state = await committedState(ports.runtime, terms.accountId);
  const from = cursor === undefined ? state.version : decodeCursor(cursor, terms.accountId);
  if (from === null || from > state.version) throw new ProblemError('invalid_cursor');
  const rows = await ports.reads.page(terms.accountId, from, limit);
  const data = rows.map((row) => transactionJson(row, row.transactionId, terms.unit)).join(',');
  const last = rows.at(-1)?.posting.version ?? 0;
  const next = last > 1 ? JSON.stringify(encodeCursor(terms.accountId, last - 1)) : 'null';
  return { status: 200, body: `{"data":[${data}],"next_cursor":${next}}` };
}

async function one(ports: HandlerPorts, request: CoreRequest<'transactions.read'>): Promise<CoreAnswer> {
  const row = await ports.reads.one(request.params[0] ?? '');
  if (row === null) throw new ProblemError('not_found');
  const terms = owned(await ports.accounts.find(row.facts.accountId), request);
  const state = await committedState(ports.runtime, terms.accountId);
  if (row.posting.version > state.version) throw new ProblemError('not_found');
  return { status: 200, body: transactionWithEntriesJson(row, row.transactionId, terms.unit) };
}
