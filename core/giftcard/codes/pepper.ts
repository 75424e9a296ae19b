/**
 * Codes and PINs as they are stored: keyed hashes. The keys are configuration; the first one makes new hashes, all of them
 * find old ones.
 *
 * - P1 a code is hashed together with its merchant's id: a code of another merchant has another hash, and looking for it is the
 *   same work as looking for one that nobody has.
 * - P2 what is hashed for codes and for PINs can never be the same text.
 */
import { createHmac, randomBytes, randomInt } from 'node:crypto';
import { type GiftcardId, giftcardCodes, type MerchantId, type SigningKey } from '@local-plus/contracts';

const { codeAlphabet, codeDataChars, checkCharacter } = giftcardCodes;
const PIN_DIGITS = 6;

export interface HashedCode {
  readonly keyId: string;
  /** Lower-case hex. */
  readonly hash: string;
}

export class Pepper {
  readonly #keys: readonly SigningKey[];
  /** Hashes made so far. */
  computed = 0;

  /** @param keys the first one for what is new; ids are unique */
  constructor(keys: readonly [SigningKey, ...SigningKey[]]) {
    this.#keys = keys;
  }

  /** Of what is new. */
  get keyId(): string {
    return this.#key(0).keyId;
  }

  get keyIds(): readonly string[] {
    return this.#keys.map(({ keyId }) => keyId);
  }

  /** Under every key, the first one first: one of them finds it. */
  codeHashes(merchantId: MerchantId, code: string): readonly HashedCode[] {
    return this.#keys.map((key) => this.#codeHash(key, merchantId, code));
  }

  newCodeHash(merchantId: MerchantId, code: string): HashedCode {
    return this.#codeHash(this.#key(0), merchantId, code);
  }

  /** What the slow hash is made of. A key that is not configured any more is as good as none: the first one stands in. */
  pinSecret(keyId: string, cardId: GiftcardId, pin: string): Buffer {
    const key = this.#keys.find((each) => each.keyId === keyId) ?? this.#key(0);
    return this.#hmac(key, `gift-card pin\n${cardId}\n${pin}`);
  }

  #codeHash(key: SigningKey, merchantId: MerchantId, code: string): HashedCode {
    return { keyId: key.keyId, hash: this.#hmac(key, `gift-card code\n${merchantId}\n${code}`).toString('hex') };
  }

  #hmac({ secret }: SigningKey, text: string): Buffer {
    this.computed++;
    return createHmac('sha256', secret).update(text).digest();
  }

  #key(index: number): SigningKey {
    const key = this.#keys[index];
    if (key === undefined) throw new Error('there is no such key');
    return key;
  }
}

/** 80 bits of the CSPRNG, with the check character, in canonical form. */
export function drawCode(): string {
  let data = '';
  // A byte has eight times the 32 characters: none is likelier.
  for (const byte of randomBytes(codeDataChars)) data += codeAlphabet.charAt(byte % codeAlphabet.length);
  return data + checkCharacter(data);
}

export function drawPin(): string {
  return String(randomInt(10 ** PIN_DIGITS)).padStart(PIN_DIGITS, '0');
}
