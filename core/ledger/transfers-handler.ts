/**
 * Wire ↔ ledger: from one wallet to another of the same program. Two transactions, in one batch or not at all; the
 * outgoing one is the transfer: its key, its id, and all that a replay has to know.
 */
import type { Part, RequestFacts } from '@local-plus/actors';
import type { IdempotencyKey, movements } from '@local-plus/contracts';
import { type CoreAnswer, type CoreRequest, type Handlers, ProblemError } from '../platform/http/index.ts';
import { type HandlerPorts, type Movement, submit } from './submission.ts';
import { type AccountTerms, termsOf } from './terms.ts';
import { transferJson } from './wire.ts';

export function transferHandlers(ports: HandlerPorts): Handlers {
  return { 'transfers.create': (request) => create(ports, request) };
}

async function create(ports: HandlerPorts, request: CoreRequest<'transfers.create'>): Promise<CoreAnswer> {
  const { body } = request;
  const from = await termsOf(ports.accounts, request, body.from_wallet_id);
  const to = await termsOf(ports.accounts, request, body.to_wallet_id);
  if (from.programId !== to.programId) throw new ProblemError('program_mismatch');
  const arriving = (facts: RequestFacts): readonly Part[] => [transferIn(from, to, body, facts)];
  return submit(ports, request, transferOut(from, to, body), transferJson, arriving);
}

function transferOut(from: AccountTerms, to: AccountTerms, body: movements.CreateTransfer): Movement {
  const { amount } = body;
  return {
    terms: from,
    command: { kind: 'transfer_out', amount, partner: to.accountId, programId: from.programId },
    asked: ['transfer_out', to.accountId, amount],
    note: body,
  };
}

/** Its key is ours, with spaces, so that it cannot be one of a client's: the client's belongs to the first wallet. */
function transferIn(
  from: AccountTerms,
  to: AccountTerms,
  { amount }: movements.CreateTransfer,
  facts: RequestFacts,
): Part {
  const idempotencyKey = `transfer ${from.accountId} ${facts.idempotencyKey}` as IdempotencyKey;
  return {
    facts: { ...facts, accountId: to.accountId, idempotencyKey },
    command: { kind: 'transfer_in', amount, partner: from.accountId, programId: to.programId },
  };
}
