/** Wire ↔ ledger: taking back what an earlier transaction did, under the rule of the program. */
import type { movements } from '@local-plus/contracts';
import { type Handlers, ProblemError } from '../platform/http/index.ts';
import { refuseManaged } from './desk.ts';
import { type Found, findTransaction } from './history-handler.ts';
import { type HandlerPorts, type Movement, submit } from './submission.ts';

const noNote = {};

export function reversalHandlers(ports: HandlerPorts): Handlers {
  return {
    'transactions.reverse': async (request) =>
      submit(ports, request, reverse(await findTransaction(ports, request), request.body)),
  };
}

function reverse({ row, terms }: Found, body: movements.Reverse): Movement {
  refuseManaged(row);
  // What may be given back, and to a card in which state, is the card's to say.
  if (terms.kind === 'giftcard') {
    throw new ProblemError('transaction_managed', { detail: "It is a gift card's: refund it, or adjust the card." });
  }
  const { amount = null, reason = null } = body;
  const { posting, transactionId } = row;
  const original = {
    transactionId,
    version: posting.version,
    kind: posting.kind,
    amount: posting.amount,
    balanceDelta: posting.balanceDelta,
    detail: posting.detail,
  };
  const { programId, rules } = terms;
  return {
    terms,
    command: { kind: 'reverse', original, amount, reason, policy: rules.reversalPolicy, programId },
    asked: ['reverse', transactionId, amount, reason],
    note: noNote,
  };
}
