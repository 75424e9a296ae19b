/** New codes: drawn, hashed, and made ready to be stored. */
import { randomBytes } from 'node:crypto';
import { giftcardCodes } from '@local-plus/contracts';
import { codeLimits } from './limits.ts';
import { drawCode, drawPin, type Pepper } from './pepper.ts';
import type { CodeRequest, DrawnCode, DrawnCodes } from './ports.ts';
import type { SlowHash } from './slow-hash.ts';
import type { KeptCode } from './store.ts';

/** PINs one after the other, so that whoever issues many is one among those who wait for the slow hash. */
export async function drawCodes(
  pepper: Pepper,
  slowHash: SlowHash,
  cards: readonly CodeRequest[],
): Promise<DrawnCodes> {
  if (cards.length > codeLimits.codesPerCallMax) throw new Error('too many codes at once');
  const codes: DrawnCode[] = [];
  const kept: KeptCode[] = [];
  for (const { cardId, merchantId, pin: hasPin } of cards) {
    const code = drawCode();
    const lastFour = giftcardCodes.lastFourOf(code);
    const { keyId, hash } = pepper.newCodeHash(merchantId, code);
    const pin = hasPin ? drawPin() : null;
    const pinHash = pin === null ? noPin : await hashedPin(slowHash, pepper.pinSecret(keyId, cardId, pin));
    codes.push({ cardId, code: giftcardCodes.groupedCode(code), lastFour, pin });
    kept.push({
      card_id: cardId,
      merchant_id: merchantId,
      key_id: keyId,
      code_hash: hash,
      last_four: lastFour,
      ...pinHash,
    });
  }
  return { codes, kept: JSON.stringify(kept) };
}

const noPin = { pin_salt: null, pin_hash: null };

/** Under a new salt. */
export async function hashedPin(slowHash: SlowHash, secret: Buffer): Promise<{ pin_salt: string; pin_hash: string }> {
  const salt = randomBytes(codeLimits.pinHash.saltBytes);
  return { pin_salt: salt.toString('hex'), pin_hash: (await slowHash.hash(secret, salt)).toString('hex') };
}
