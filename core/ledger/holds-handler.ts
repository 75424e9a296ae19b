/**
 * Wire ↔ ledger: holds. A hold is known by the transaction that made it, and its id is that transaction's; what is left
 * of it is said by the account's committed state alone.
 */
import type { movements } from '@local-plus/contracts';
import { type CoreAnswer, type CoreRequest, type Handlers, ProblemError } from '../platform/http/index.ts';
import { refuseManaged } from './desk.ts';
import { type Found, findTransaction } from './history-handler.ts';
import { type HandlerPorts, type Movement, move, submit } from './submission.ts';
import type { AccountTerms } from './terms.ts';
import { holdJson, newHoldJson } from './wire.ts';

export function holdHandlers(ports: HandlerPorts): Handlers {
  return {
    'holds.create': (request) => move(ports, request, hold, newHoldJson),
    'holds.read': (request) => read(ports, request),
    'holds.capture': async (request) => submit(ports, request, capture(await ownHold(ports, request), request.body)),
    'holds.release': async (request) => submit(ports, request, release(await ownHold(ports, request), request.body)),
  };
}

function hold(terms: AccountTerms, body: movements.CreateHold): Movement {
  const { amount, expires_in_s } = body;
  const { programId, rules } = terms;
  return {
    terms,
    command: { kind: 'hold', amount, programId, expiresInS: expires_in_s ?? rules.holdExpiresInS },
    asked: ['hold', amount, expires_in_s ?? null],
    note: body,
  };
}

function capture({ row, terms }: Found, body: movements.Capture): Movement {
  const { amount = null, final } = body;
  const { programId } = terms;
  return {
    terms,
    command: { kind: 'capture', hold: row.posting.version, amount, final, programId },
    asked: ['capture', row.transactionId, amount, final],
    note: body,
  };
}

function release({ row, terms }: Found, body: movements.Release): Movement {
  const { programId } = terms;
  return {
    terms,
    command: { kind: 'release', hold: row.posting.version, programId },
    asked: ['release', row.transactionId],
    note: body,
  };
}

async function read(ports: HandlerPorts, request: CoreRequest<'holds.read'>): Promise<CoreAnswer> {
  const { row, terms, state } = await findHold(ports, request);
  const left = state.holds.find(({ version }) => version === row.posting.version);
  return { status: 200, body: holdJson(row, row.transactionId, terms.unit, left?.amount ?? 0) };
}

/** A hold that no other resource goes on with. */
async function ownHold(ports: HandlerPorts, request: Pick<CoreRequest, 'params' | 'context'>): Promise<Found> {
  const found = await findHold(ports, request);
  refuseManaged(found.row);
  return found;
}

async function findHold(ports: HandlerPorts, request: Pick<CoreRequest, 'params' | 'context'>): Promise<Found> {
  const found = await findTransaction(ports, request);
  if (found.row.posting.kind !== 'hold') throw new ProblemError('not_found');
  return found;
}
