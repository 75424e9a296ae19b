/**
 * The book of codes: who has which, and whose a code is.
 *
 * - C1 a card is given a code once. Code and PIN leave here once, by whoever gave them; nothing here can tell them again.
 * - C2 looking for a code is the same work whether it is nobody's, another merchant's, or a card's: one hash per key, one
 *   statement, and with a PIN one slow hash, a decoy's if need be. Only what is right is worth more: then it is the caller's.
 * - C3 a try of a PIN is counted only when it is sure to be looked at: the place at the slow hash comes first.
 * - C4 a code that is found under an older key is hashed anew under the first one, since it is in hand; and its PIN, too.
 */
import { timingSafeEqual } from 'node:crypto';
import { type GiftcardId, giftcardCodes, type MerchantId, uuidV7 } from '@local-plus/contracts';
import { ProblemError } from '../../platform/http/index.ts';
import { DatabaseUnavailable } from '../../platform/postgres/index.ts';
import type { Log } from '../../platform/telemetry/index.ts';
import { drawCodes, hashedPin } from './draw.ts';
import { codeLimits } from './limits.ts';
import type { Pepper } from './pepper.ts';
import type { AssignedCode, CodeBook, CodeRequest, DrawnCodes, FoundCode } from './ports.ts';
import type { Hash, SlowHash } from './slow-hash.ts';
import type { CodeStore, FoundRow } from './store.ts';

export interface BookPorts {
  readonly store: CodeStore;
  readonly pepper: Pepper;
  readonly slowHash: SlowHash;
  readonly log: Log;
}

/** What is compared with where there is nothing to compare with: as long as the real ones. */
const decoySalt = Buffer.alloc(codeLimits.pinHash.saltBytes);
const decoyHash = Buffer.alloc(codeLimits.pinHash.bytes);

export class Book implements CodeBook {
  readonly #ports: BookPorts;

  constructor(ports: BookPorts) {
    this.#ports = ports;
  }

  async assign(cards: readonly CodeRequest[]): Promise<readonly AssignedCode[]> {
    if (cards.length === 0) return [];
    const { store } = this.#ports;
    const drawn = await this.draw(cards);
    const assigned = await store.assign(drawn.kept);
    const others = drawn.codes.filter(({ cardId }) => !assigned.has(cardId)).map(({ cardId }) => cardId);
    const lastFours = others.length === 0 ? new Map<GiftcardId, string>() : await store.lastFours(others);
    return drawn.codes.map((code) => {
      if (assigned.has(code.cardId)) return code;
      const lastFour = lastFours.get(code.cardId);
      if (lastFour === undefined) throw new Error('a new code was taken already');
      return { cardId: code.cardId, code: null, lastFour, pin: null };
    });
  }

  draw(cards: readonly CodeRequest[]): Promise<DrawnCodes> {
    const { pepper, slowHash } = this.#ports;
    return drawCodes(pepper, slowHash, cards);
  }

  lastFours(cardIds: readonly GiftcardId[]): Promise<ReadonlyMap<GiftcardId, string>> {
    return this.#ports.store.lastFours(cardIds);
  }

  async find(merchantId: MerchantId, typed: string, pin: string | null): Promise<FoundCode> {
    const code = giftcardCodes.readCode(typed);
    if (code === null) return { type: 'unknown' };
    const { store, pepper, slowHash } = this.#ports;
    const hashes = pepper.codeHashes(merchantId, code).map(({ hash }) => hash);
    if (pin === null) return foundCode(await store.find(merchantId, hashes, false), false, false);
    return slowHash.withPlace(async (hash) => {
      const row = await store.find(merchantId, hashes, true);
      return foundCode(row, true, await this.#comparePin(row, pin, hash));
    });
  }

  async welcome(merchantId: MerchantId, typed: string, pin: string | null, found: FoundCode): Promise<void> {
    const code = giftcardCodes.readCode(typed);
    if (found.type !== 'found' || code === null) return;
    const { store, pepper, log } = this.#ports;
    try {
      if (pin !== null && found.hasPin) await store.forgive(found.cardId);
      if (found.keyId !== pepper.keyId) await this.#rekey(merchantId, code, pin, found);
    } catch (error) {
      // The card was found all the same; the next time will do.
      if (!(error instanceof DatabaseUnavailable || error instanceof ProblemError)) throw error;
      log.warn('a code was found and could not be noted as such', { card_id: found.cardId, error });
    }
  }

  /** C2. */
  async #comparePin(row: FoundRow | null, pin: string, slowHash: Hash): Promise<boolean> {
    const { pepper } = this.#ports;
    const { pin_salt = null, pin_hash = null, tried = false } = row ?? {};
    const secret = pepper.pinSecret(row?.key_id ?? pepper.keyId, row?.card_id ?? uuidV7<GiftcardId>(0), pin);
    const salt = pin_salt === null ? decoySalt : Buffer.from(pin_salt, 'hex');
    const hash = pin_hash === null ? decoyHash : Buffer.from(pin_hash, 'hex');
    const isEqual = timingSafeEqual(await slowHash(secret, salt), hash);
    return isEqual && tried;
  }

  /** C4. */
  async #rekey(
    merchantId: MerchantId,
    code: string,
    pin: string | null,
    { cardId, keyId, hasPin }: Extract<FoundCode, { type: 'found' }>,
  ): Promise<void> {
    const { store, pepper, slowHash } = this.#ports;
    const before = pepper.codeHashes(merchantId, code).find((each) => each.keyId === keyId);
    if (before === undefined || (hasPin && pin === null)) return;
    const { keyId: key_id, hash: code_hash } = pepper.newCodeHash(merchantId, code);
    const pinHash =
      pin !== null && hasPin
        ? await hashedPin(slowHash, pepper.pinSecret(key_id, cardId, pin))
        : { pin_salt: null, pin_hash: null };
    await store.rekey({ card_id: cardId, key_id, code_hash, ...pinHash }, before.hash);
  }
}

function foundCode(row: FoundRow | null, hasTyped: boolean, isRight: boolean): FoundCode {
  if (row === null) return { type: 'unknown' };
  const { card_id: cardId, last_four: lastFour, key_id: keyId, pin_hash, tried, locked_ms } = row;
  const hasPin = pin_hash !== null;
  if (!hasPin || isRight) return { type: 'found', cardId, lastFour, hasPin, keyId };
  if (!hasTyped) return { type: 'pin_missing', cardId };
  if (tried) return { type: 'pin_wrong', cardId };
  // Locked since the row was read, by a try at the same moment: for as long as the first lock at least.
  return { type: 'pin_locked', cardId, forMs: locked_ms > 0 ? locked_ms : codeLimits.pinLockFirstS * 1_000 };
}
