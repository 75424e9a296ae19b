/** From what a request asks to the runtime (⑤–⑧), and from its outcome to the answer. The same for every kind. */
import type { AccountState, Command, Outcome, PostedRow, RequestFacts } from '@local-plus/actors';
import type { AccountId, ProblemCode, TransactionId, wallets } from '@local-plus/contracts';
import { sha256Hex128 } from '../platform/digest/index.ts';
import { type CoreAnswer, type CoreRequest, keyOf, ProblemError, replayedHeaders } from '../platform/http/index.ts';
import type { AccountRuntime } from './account-runtime.ts';
import type { LedgerReads } from './reads.ts';
import { type AccountDirectory, type AccountTerms, type Purchases, termsOf } from './terms.ts';
import { refusalProblem, transactionJson } from './wire.ts';

export interface HandlerPorts {
  readonly runtime: AccountRuntime;
  readonly reads: LedgerReads;
  readonly accounts: AccountDirectory;
  readonly purchases: Purchases;
  readonly nowMs: () => number;
}

/** What the caller wrote on the transaction. */
export type Note = Pick<wallets.Post, 'reference' | 'metadata'>;

/** What a request asks of an account. */
export interface Movement {
  readonly terms: AccountTerms;
  readonly command: Command;
  /** All that it asks but its note, in a fixed order: the kind, what it is done to, how much. */
  readonly asked: readonly (string | number | boolean | null)[];
  readonly note: Note;
}

/** The answer's text. From the row alone: a replay has to find the same. */
export type Show = (row: PostedRow, id: TransactionId, unit: string) => string;

/** What the caller is told of an outcome that is none. */
export const failures: Readonly<Record<Exclude<Outcome['type'], 'posted' | 'refused'>, ProblemCode>> = {
  key_reused: 'idempotency_key_reused',
  overloaded: 'overloaded',
  expired: 'deadline_exceeded',
  unavailable: 'unavailable',
  failed: 'internal',
};

/** Finds the terms of the wallet in the path, and moves by them: without a turn of the loop when they are in memory. */
export function move<Request extends CoreRequest>(
  ports: HandlerPorts,
  request: Request,
  movementOf: (terms: AccountTerms, body: Request['body']) => Movement,
  show: Show = transactionJson,
): Promise<CoreAnswer> {
  const found = termsOf(ports.accounts, request, request.params[0]);
  if (found instanceof Promise) {
    return found.then((terms) => submit(ports, request, movementOf(terms, request.body), show));
  }
  return submit(ports, request, movementOf(found, request.body), show);
}

export function submit(
  ports: { readonly runtime: Pick<AccountRuntime, 'submit'> },
  request: CoreRequest,
  movement: Movement,
  show: Show = transactionJson,
): Promise<CoreAnswer> {
  const facts = factsOf(request, movement);
  const { command, terms } = movement;
  const { deadlineMs } = request;
  const posted = ports.runtime.submit({ facts, command, tenant: terms.merchantId, deadlineMs });
  return posted.then((outcome) => answerOf(outcome, terms.unit, show));
}

/** What the ledger keeps of a request beside what it decides. */
export function factsOf(
  request: Pick<CoreRequest, 'idempotencyKey' | 'requestId' | 'traceparent'>,
  { terms, asked, note }: Omit<Movement, 'command'>,
): RequestFacts {
  return {
    accountId: terms.accountId,
    programId: terms.programId,
    idempotencyKey: keyOf(request),
    requestHash: requestHash(asked, note),
    requestId: request.requestId,
    traceparent: request.traceparent,
    reference: note.reference ?? null,
    metadata: note.metadata === undefined ? null : JSON.stringify(note.metadata),
  };
}

/** 128 bits over what the request asks: members in a fixed order, so that equal requests are equal however written. */
export function requestHash(asked: Movement['asked'], note: Note): string {
  const metadata = Object.entries(note.metadata ?? {}).sort(([left], [right]) => (left < right ? -1 : 1));
  return sha256Hex128(JSON.stringify([...asked, note.reference ?? null, metadata]));
}

export function answerOf(outcome: Outcome, unit: string, show: Show): CoreAnswer {
  if (outcome.type === 'posted') {
    return durable(201, show(outcome.row, outcome.transactionId, unit), outcome.replayed);
  }
  if (outcome.type === 'refused') {
    const problem = refusalProblem(outcome.row);
    return durable(problem.status, JSON.stringify(problem), outcome.replayed);
  }
  throw failure(outcome);
}

/** The problem that an outcome is which says nothing of the account; with the time to come again where that is known. */
export function failure(outcome: Exclude<Outcome, { type: 'posted' | 'refused' }>): ProblemError {
  const retryAfterMs = outcome.type === 'overloaded' ? outcome.retryAfterMs : undefined;
  const retryAfterS = retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1_000);
  return new ProblemError(failures[outcome.type], { retryAfterS });
}

function durable(status: number, body: string, replayed: boolean): CoreAnswer {
  return replayed ? { status, body, headers: replayedHeaders } : { status, body };
}

/** What readers may see of an account (I4). Throws `unavailable` while its owner or the store is away. */
export async function committedState(runtime: AccountRuntime, accountId: AccountId): Promise<AccountState> {
  const state = await runtime.read(accountId);
  if (state === null) throw new ProblemError('unavailable');
  return state;
}
