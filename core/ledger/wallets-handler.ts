/** Wire ↔ ledger: what one wallet gains and spends, its corrections, its freeze. */
import type { movements, wallets } from '@local-plus/contracts';
import type { Handlers } from '../platform/http/index.ts';
import { type HandlerPorts, type Movement, move } from './submission.ts';
import type { AccountTerms } from './terms.ts';

const noNote = {};

export function walletHandlers(ports: HandlerPorts): Handlers {
  return {
    'wallets.earn': (request) => move(ports, request, earn),
    'wallets.burn': (request) => move(ports, request, burn),
    'wallets.adjust': (request) => move(ports, request, adjust),
    'wallets.freeze': (request) => move(ports, request, (terms, body) => freeze('freeze', terms, body)),
    'wallets.unfreeze': (request) => move(ports, request, (terms, body) => freeze('unfreeze', terms, body)),
  };
}

export function earn(terms: AccountTerms, body: wallets.Post): Movement {
  const { programId, rules } = terms;
  return {
    terms,
    command: { kind: 'earn', amount: body.amount, programId, expiry: rules.expiry },
    asked: ['earn', body.amount],
    note: body,
  };
}

export function burn(terms: AccountTerms, body: wallets.Post): Movement {
  const { programId } = terms;
  return {
    terms,
    command: { kind: 'burn', amount: body.amount, programId },
    asked: ['burn', body.amount],
    note: body,
  };
}

function adjust(terms: AccountTerms, body: movements.Adjust): Movement {
  const { direction, amount, reason } = body;
  const { programId, rules } = terms;
  return {
    terms,
    command: { kind: 'adjust', direction, amount, reason, programId, expiry: rules.expiry },
    asked: ['adjust', direction, amount, reason],
    note: body,
  };
}

function freeze(kind: 'freeze' | 'unfreeze', terms: AccountTerms, { reason }: movements.Freeze): Movement {
  const { programId } = terms;
  return { terms, command: { kind, reason, programId }, asked: [kind, reason], note: noNote };
}
