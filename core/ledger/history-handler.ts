/** Wire ↔ ledger: the balance and the transactions of an account, now and in the past. */
import type { AccountState, StoredTransaction } from '@local-plus/actors';
import type { wallets } from '@local-plus/contracts';
import { type CoreAnswer, type CoreRequest, type Handlers, ProblemError } from '../platform/http/index.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { committedState, type HandlerPorts } from './submission.ts';
import { type AccountTerms, owned, termsOf } from './terms.ts';
import { transactionJson, transactionWithEntriesJson } from './wire.ts';

export function historyHandlers(ports: HandlerPorts): Handlers {
  return {
    'wallets.balance': (request) => balance(ports, request),
    'wallets.transactions': (request) => history(ports, request),
    'transactions.read': (request) => one(ports, request),
  };
}

/** A transaction that the caller may see, its account's terms, and that account's committed state. */
export interface Found {
  readonly row: StoredTransaction;
  readonly terms: AccountTerms;
  readonly state: AccountState;
}

/**
 * The transaction that an id names. Throws `not_found` for one that is not there, is another tenant's, or is ahead of
 * what the account's actor knows to be committed (I4).
 */
export async function findTransaction(
  ports: HandlerPorts,
  request: Pick<CoreRequest, 'params' | 'context'>,
): Promise<Found> {
  const row = await ports.reads.one(request.params[0] ?? '');
  if (row === null) throw new ProblemError('not_found');
  const terms = owned(await ports.accounts.find(row.facts.accountId), request);
  const state = await committedState(ports.runtime, terms.accountId);
  if (row.posting.version > state.version) throw new ProblemError('not_found');
  return { row, terms, state };
}

async function balance(ports: HandlerPorts, request: CoreRequest<'wallets.balance'>): Promise<CoreAnswer> {
  const terms = await termsOf(ports.accounts, request, request.params[0]);
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
  const { limit, cursor, kind = null, from = null, to = null, reference = null } = request.queryValues;
  const terms = await termsOf(ports.accounts, request, request.params[0]);
  const state = await committedState(ports.runtime, terms.accountId);
  const newest = cursor === undefined ? state.version : decodeCursor(cursor, terms.accountId);
  if (newest === null || newest > state.version) throw new ProblemError('invalid_cursor');
  const page = await ports.reads.page(terms.accountId, newest, limit, { kind, from, to, reference });
  const data = page.rows.map((row) => transactionJson(row, row.transactionId, terms.unit)).join(',');
  const next = page.nextVersion === null ? 'null' : JSON.stringify(encodeCursor(terms.accountId, page.nextVersion));
  return { status: 200, body: `{"data":[${data}],"next_cursor":${next}}` };
}

async function one(ports: HandlerPorts, request: CoreRequest<'transactions.read'>): Promise<CoreAnswer> {
  const { row, terms } = await findTransaction(ports, request);
  return { status: 200, body: transactionWithEntriesJson(row, row.transactionId, terms.unit) };
}
