/**
 * ④ What the ledger has to know of an account that is not in its rows, and who may ask.
 *
 * Tenancy: another merchant's account answers exactly as one that does not exist.
 */
import type { ExpiryRule, Grant, ReversalPolicy } from '@local-plus/actors';
import { type AccountId, type MerchantId, type ProgramId, parseId, type rules } from '@local-plus/contracts';
import { type CoreRequest, ProblemError, sees } from '../platform/http/index.ts';

/** What an account is to its owner: routes of wallets know no gift card, and the other way round. */
export type AccountKind = 'wallet' | 'giftcard';

export interface AccountTerms {
  readonly kind: AccountKind;
  readonly accountId: AccountId;
  readonly merchantId: MerchantId;
  readonly programId: ProgramId;
  /** Capital letters: it goes to the wire unescaped. */
  readonly unit: string;
  readonly rules: AccountRules;
}

/** What the account's program asks of the ledger. */
export interface AccountRules {
  /** When what is earned expires; null: never. */
  readonly expiry: ExpiryRule | null;
  readonly reversalPolicy: ReversalPolicy;
  /** Of a hold that does not say it itself. */
  readonly holdExpiresInS: number;
}

/** Who knows the accounts: at once when it is in memory. */
export interface AccountDirectory {
  find(accountId: AccountId): AccountTerms | null | Promise<AccountTerms | null>;
}

/** One that can be asked for no more than what it has in memory. */
export interface KnowingDirectory extends AccountDirectory {
  known(accountId: AccountId): AccountTerms | undefined;
}

/** Several kinds of accounts behind one question: first what is in memory, then one after the other. */
export function chained(directories: readonly KnowingDirectory[]): AccountDirectory {
  const load = async (accountId: AccountId): Promise<AccountTerms | null> => {
    for (const directory of directories) {
      const found = await directory.find(accountId);
      if (found !== null) return found;
    }
    return null;
  };
  return {
    find(accountId) {
      for (const directory of directories) {
        const known = directory.known(accountId);
        if (known !== undefined) return known;
      }
      return load(accountId);
    },
  };
}

/** What earn rules give for a purchase: if it is the wallet's first, and if not. */
export interface RatedPurchase {
  /** The id of the rules. */
  readonly rules: string;
  readonly first: readonly Grant[];
  readonly later: readonly Grant[];
}

/** Who knows the rules in force at a moment: at once when they are in memory; null: the program has none. */
export interface Purchases {
  rate(
    wallet: Pick<AccountTerms, 'accountId' | 'programId'>,
    purchase: rules.Purchase,
    nowMs: number,
  ): RatedPurchase | null | Promise<RatedPurchase | null>;
}

type Asking = Pick<CoreRequest, 'context'>;

/** The terms of the wallet that an id names. Throws `not_found` for what is none of the caller's wallets. */
export function termsOf(
  accounts: AccountDirectory,
  request: Asking,
  id: string | undefined,
): AccountTerms | Promise<AccountTerms> {
  const accountId = parseId<AccountId>(id ?? '');
  if (accountId === null) throw new ProblemError('not_found');
  const found = accounts.find(accountId);
  return found instanceof Promise ? found.then((terms) => ownWallet(terms, request)) : ownWallet(found, request);
}

function ownWallet(terms: AccountTerms | null, request: Asking): AccountTerms {
  return owned(terms?.kind === 'wallet' ? terms : null, request);
}

/** Of whatever kind. The operator sees every account, a merchant its own. */
export function owned(terms: AccountTerms | null, { context }: Asking): AccountTerms {
  if (terms === null || !sees(context, terms.merchantId)) throw new ProblemError('not_found');
  return terms;
}
