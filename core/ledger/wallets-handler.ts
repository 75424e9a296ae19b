/** Wire ↔ ledger: what one wallet gains and spends, its corrections, its freeze. */
import type { movements, rules, wallets } from '@local-plus/contracts';
import { type CoreAnswer, type CoreRequest, type Handlers, ProblemError } from '../platform/http/index.ts';
import { type HandlerPorts, type Movement, move, submit } from './submission.ts';
import { type AccountTerms, termsOf } from './terms.ts';

const noNote = {};

export function walletHandlers(ports: HandlerPorts): Handlers {
  return {
    'wallets.earn': (request) =>
      isPurchase(request) ? earnForPurchase(ports, request) : move(ports, request, earnAmount),
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

type EarnRequest = CoreRequest<'wallets.earn'>;
type PurchaseRequest = EarnRequest & { readonly body: { readonly purchase: rules.Purchase } };

function isPurchase(request: EarnRequest): request is PurchaseRequest {
  return request.body.purchase !== undefined;
}

function isPosting(body: rules.Earn): body is rules.Earn & wallets.Post {
  return body.amount !== undefined;
}

function earnAmount(terms: AccountTerms, body: rules.Earn): Movement {
  if (!isPosting(body)) throw new Error('the schema asks for an amount or a purchase');
  return earn(terms, body);
}

/**
 * What its key is compared by is the purchase, not its points: sent again it has its first outcome, whatever the rules are by
 * then. One that earns nothing is refused by the account, so that this is remembered, too.
 */
async function earnForPurchase(ports: HandlerPorts, request: PurchaseRequest): Promise<CoreAnswer> {
  const nowMs = ports.nowMs();
  const terms = await termsOf(ports.accounts, request, request.params[0]);
  const { programId } = terms;
  const { purchase } = request.body;
  const rated = await ports.purchases.rate(terms, purchase, nowMs);
  if (rated === null) throw new ProblemError('no_rules_in_force');
  const asked = ['earn', 'purchase', purchaseText(purchase)];
  const command = { kind: 'purchase', programId, expiry: terms.rules.expiry, ...rated } as const;
  return submit(ports, request, { terms, command, asked, note: request.body });
}

/** Equal for equal purchases, however written. */
function purchaseText({ amount, currency, lines, channel, occurred_at }: rules.Purchase): string {
  const bought = lines.map((line) => [line.sku ?? null, line.category ?? null, line.amount]);
  const madeAtMs = occurred_at === undefined ? null : Date.parse(occurred_at);
  return JSON.stringify([amount, currency, bought, channel ?? null, madeAtMs]);
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
