/**
 * Wire ↔ ledger: every route of the ledger, by noun. ④ finds the account's terms, ⑤–⑧ are the runtime's, the outcome
 * becomes the answer.
 */
import type { Handlers } from '../platform/http/index.ts';
import { historyHandlers } from './history-handler.ts';
import { holdHandlers } from './holds-handler.ts';
import { reversalHandlers } from './reversals-handler.ts';
import type { HandlerPorts } from './submission.ts';
import { type TransferHandlerPorts, transferHandlers } from './transfers-handler.ts';
import { walletHandlers } from './wallets-handler.ts';

export type { HandlerPorts } from './submission.ts';
export type { AccountDirectory, AccountTerms, Purchases } from './terms.ts';

export function ledgerHandlers(ports: HandlerPorts & TransferHandlerPorts): Handlers {
  return {
    ...walletHandlers(ports),
    ...holdHandlers(ports),
    ...reversalHandlers(ports),
    ...transferHandlers(ports),
    ...historyHandlers(ports),
  };
}
