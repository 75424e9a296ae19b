/**
 * Wire ↔ ledger: from one wallet to another of the same program. Two transactions; the outgoing one is the transfer: its
 * key, its id, and all that a replay has to know. In one batch or in two steps: the client cannot tell.
 */
import type { movements } from '@local-plus/contracts';
import { type CoreAnswer, type CoreRequest, type Handlers, ProblemError } from '../platform/http/index.ts';
import { answerOf, factsOf, type HandlerPorts } from './submission.ts';
import { type AccountTerms, termsOf } from './terms.ts';
import type { LedgerTransfers } from './transfers.ts';
import { transferJson } from './wire.ts';

export interface TransferHandlerPorts extends Pick<HandlerPorts, 'accounts'> {
  readonly transfers: Pick<LedgerTransfers, 'transfer'>;
}

export function transferHandlers(ports: TransferHandlerPorts): Handlers {
  return { 'transfers.create': (request) => create(ports, request) };
}

async function create(ports: TransferHandlerPorts, request: CoreRequest<'transfers.create'>): Promise<CoreAnswer> {
  const { body } = request;
  const from = await termsOf(ports.accounts, request, body.from_wallet_id);
  const to = await termsOf(ports.accounts, request, body.to_wallet_id);
  if (from.programId !== to.programId) throw new ProblemError('program_mismatch');
  const outcome = await ports.transfers.transfer({
    facts: factsOf(request, { terms: from, asked: asked(to, body), note: body }),
    to: to.accountId,
    amount: body.amount,
    tenant: from.merchantId,
    deadlineMs: request.deadlineMs,
  });
  return answerOf(outcome, from.unit, transferJson);
}

/** The same in either form: a retry may come when the other one is due. */
function asked(to: AccountTerms, { amount }: movements.CreateTransfer): readonly (string | number)[] {
  return ['transfer_out', to.accountId, amount];
}
