/** The bounds of the codes of gift cards. */
import { giftcardCodes, limits as wire } from '@local-plus/contracts';

export const codeLimits = {
  /** Codes drawn or stored by one call. */
  codesPerCallMax: 1_000,

  /**
   * scrypt (RFC 7914): 2^14 rounds of 1 KiB blocks, 16 MiB and some 50 ms a PIN. It hashes an HMAC of the PIN, so that whoever
   * has the table without the key cannot try PINs at all.
   */
  pinHash: { cost: 2 ** 14, blockSize: 8, parallelization: 1, saltBytes: 16, bytes: 32 },
  /** PINs hashed at a time, of node's four threads for such work, and those who wait for it; one more answers 429. */
  pinsAtOnceMax: 2,
  pinsWaitingMax: 64,

  /** Wrong PINs in a row before the first lock. Each later one locks again, for twice as long as the time before. */
  pinTriesMax: 5,
  pinLockFirstS: 60,
  pinLockMaxS: 86_400,

  /**
   * Look-ups that fail, in any minute or so: per caller (a key, or a customer) and per merchant; one more answers 429. Each
   * process of core counts for itself, so a caller of N processes has N times as many: against 80 bits it is as good.
   */
  failuresOfCallerMax: 60,
  failuresOfMerchantMax: 600,
  /** Callers and merchants counted; whoever failed longest ago is forgotten first. */
  countedMax: 20_000,
} as const;

/** What a copy of scrypt's working memory takes: node refuses more than it is told. */
export const pinHashMemoryBytes = 2 * 128 * codeLimits.pinHash.cost * codeLimits.pinHash.blockSize;

if (giftcardCodes.codeDataChars * 5 < 80) throw new Error('limits: a code has 80 bits at least');
if (codeLimits.pinsAtOnceMax >= 4) throw new Error('limits: hashing PINs leaves threads to whoever else needs one');
if (codeLimits.failuresOfCallerMax > codeLimits.failuresOfMerchantMax) {
  throw new Error('limits: a merchant has callers');
}
if (wire.codeTypedCharsMax < 2 * giftcardCodes.codeDataChars)
  throw new Error('limits: a code with its separators can be typed');
