/** What other modules see of the codes of gift cards. */
import type { GiftcardId, MerchantId } from '@local-plus/contracts';

export interface CodeRequest {
  readonly cardId: GiftcardId;
  readonly merchantId: MerchantId;
  /** Whether a PIN is to go with it. */
  readonly pin: boolean;
}

/** Shown once: nobody can read code and PIN again. */
export interface AssignedCode {
  readonly cardId: GiftcardId;
  /** Grouped for people. null: the card has had a code before, and keeps it. */
  readonly code: string | null;
  readonly lastFour: string;
  /** null: it has none, or `code` is null. */
  readonly pin: string | null;
}

/** A code that nobody has yet. */
export interface DrawnCode extends AssignedCode {
  readonly code: string;
}

export interface DrawnCodes {
  readonly codes: readonly DrawnCode[];
  /** The JSON text that `keptCodes` takes: hashes, neither codes nor PINs. */
  readonly kept: string;
}

/** Whose a code is, to somebody who knows it. */
export type FoundCode =
  | {
      readonly type: 'found';
      readonly cardId: GiftcardId;
      readonly lastFour: string;
      readonly hasPin: boolean;
      /** Under which it was found. */
      readonly keyId: string;
    }
  /** No code of this merchant's. */
  | { readonly type: 'unknown' }
  | { readonly type: 'pin_missing' | 'pin_wrong'; readonly cardId: GiftcardId }
  /** Too many wrong PINs: none is looked at for so long, the right one neither. */
  | { readonly type: 'pin_locked'; readonly cardId: GiftcardId; readonly forMs: number };

/**
 * Every member throws the problem `giftcard_codes_not_configured` where core has no key for codes, `overloaded` where too many
 * PINs wait for their slow hash, and `DatabaseUnavailable`.
 */
export interface CodeBook {
  /** In their order, at most `codeLimits.codesPerCallMax`. A card is given a code once, however often and by whom this is asked. */
  assign(cards: readonly CodeRequest[]): Promise<readonly AssignedCode[]>;
  /** Codes that the caller stores by a statement of its own, with `keptCodes`. */
  draw(cards: readonly CodeRequest[]): Promise<DrawnCodes>;
  /** Of those that have a code. */
  lastFours(cardIds: readonly GiftcardId[]): Promise<ReadonlyMap<GiftcardId, string>>;
  /**
   * The card of a code, counting a wrong PIN. Whether the card is there, and what may be done with it, is for the caller to
   * ask; if all is well it calls `welcome`.
   *
   * @param typed the code as somebody typed it
   */
  find(merchantId: MerchantId, typed: string, pin: string | null): Promise<FoundCode>;
  /** What follows a look-up that came to its card: PINs that were wrong before are forgiven. With the same arguments as `find`. */
  welcome(merchantId: MerchantId, typed: string, pin: string | null, found: FoundCode): Promise<void>;
}
