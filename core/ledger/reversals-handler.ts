/** Wire ↔ ledger: taking back what an earlier transaction did, under the rule of the program. */
import type { movements } from '@local-plus/contracts';
import type { Handlers } from '../platform/http/index.ts';
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
