/**
 * Identifiers: branded types, UUIDv7 (RFC 9562), and the two identifiers that are computed instead of stored.
 *
 * - A transaction's id holds its time and its ledger position (`seq`: writer, batch, place in the batch), so the row
 *   is found by `seq` and needs no index, and no column, for the id.
 * - A program's own accounts (`issued`, `redeemed`, …) are the program's id with version 8 and a role in the last byte.
 *
 * Must not know: who stores what. Runs anywhere (Web Crypto only).
 */

declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

export type MerchantId = Branded<string, 'MerchantId'>;
export type ProgramId = Branded<string, 'ProgramId'>;
export type WalletId = Branded<string, 'WalletId'>;
/** Anything with a balance that an actor serialises, and the program's accounts on the other side. */
export type AccountId = Branded<string, 'AccountId'>;
export type TransactionId = Branded<string, 'TransactionId'>;
export type ApiKeyId = Branded<string, 'ApiKeyId'>;
/** A gift card is an account, too. */
export type GiftcardId = Branded<string, 'GiftcardId'>;
export type GiftcardBatchId = Branded<string, 'GiftcardBatchId'>;
export type CustomerId = Branded<string, 'CustomerId'>;
export type CatalogItemId = Branded<string, 'CatalogItemId'>;
export type IdempotencyKey = Branded<string, 'IdempotencyKey'>;
/** Correlates a request, its transaction and its events. A UUID. */
export type RequestId = Branded<string, 'RequestId'>;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** The canonical lower-case form only; anything else is no id of ours. */
export function isUuid(text: string): boolean {
  return text.length === 36 && UUID.test(text);
}

/** Narrows a canonical UUID to the id type that the caller's position gives it; `null` for any other text. */
export function parseId<Id extends string>(text: string): Id | null {
  return isUuid(text) ? (text as Id) : null;
}

/** 1 to 255 printable ASCII characters without spaces; `null` for any other text. */
export function parseIdempotencyKey(text: string): IdempotencyKey | null {
  return IDEMPOTENCY_KEY.test(text) ? (text as IdempotencyKey) : null;
}

/** A wallet is an account; the ledger knows only the latter. */
export function walletAccount(walletId: WalletId): AccountId {
  return walletId as string as AccountId;
}

export function giftcardAccount(giftcardId: GiftcardId): AccountId {
  return giftcardId as string as AccountId;
}

const TWO_16 = 2 ** 16;
const TWO_19 = 2 ** 19;
const TWO_29 = 2 ** 29;

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Four digits of 16 bits. By a table: `toString(16)` of numbers past 2^31 is slow, and ids are made for every row. */
function hex16(value: number): string {
  return `${hexOfByte[value >>> 8]}${hexOfByte[value & 0xff]}`;
}

/** The first 13 characters of a UUIDv7: 48 bits of Unix milliseconds. */
function hexOfTime(ms: number): string {
  const high = Math.floor(ms / TWO_16);
  return `${hex16(high >>> 16)}${hex16(high & 0xffff)}-${hex16(ms % TWO_16)}`;
}

const RANDOM_BYTES = 10;
const ID_RANDOMS = 128;
/** Drawn for many ids at once: a draw costs as much as ten ids, however little it is of. Empty before the first: Workers allow none then. */
const randoms = new Uint8Array(RANDOM_BYTES * ID_RANDOMS);
let randomsAt = randoms.length;

/**
 * UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, 74 random bits.
 *
 * @param random 10 bytes, or more; given where the same id has to come out again
 */
export function uuidV7<Id extends string>(nowMs: number, random?: Uint8Array): Id {
  if (random !== undefined) return uuidOf(nowMs, random, 0);
  if (randomsAt === randoms.length) {
    crypto.getRandomValues(randoms);
    randomsAt = 0;
  }
  const at = randomsAt;
  randomsAt += RANDOM_BYTES;
  return uuidOf(nowMs, randoms, at);
}

function uuidOf<Id extends string>(nowMs: number, random: Uint8Array, at: number): Id {
  let tail = '';
  for (let index = 0; index < RANDOM_BYTES; index++) {
    let byte = random[at + index] as number;
    if (index === 0) byte = 0x70 | (byte & 0x0f);
    if (index === 2) byte = 0x80 | (byte & 0x3f);
    tail += hexOfByte[byte];
    if (index === 1 || index === 3) tail += '-';
  }
  return `${hexOfTime(Math.floor(nowMs))}-${tail}` as Id;
}

/** Where a row stands in the ledger. Ten bits of writer, 43 of batch, 10 of place: 63 bits, one Postgres `bigint`. */
export interface LedgerPosition {
  /** 0 … 1,023 */
  readonly writerId: number;
  /** 1 … 2^43 − 1: at 1,000 batches a second, 278 years. */
  readonly batch: number;
  /** 0 … 1,023: place within the batch. */
  readonly place: number;
}

export const positionBounds = { writerIdMax: 1_023, batchMax: 2 ** 43 - 1, placeMax: 1_023 } as const;

/**
 * The id of the transaction at `position`, decided at `occurredAtMs`. A valid UUIDv7: milliseconds; the writer where
 * the random bits a would be; batch (43 bits), nine zero bits and the place where the random bits b would be.
 */
export function transactionId(occurredAtMs: number, position: LedgerPosition): TransactionId {
  const { writerId, batch, place } = position;
  const batchHigh = Math.floor(batch / TWO_29);
  const tail = (batch % TWO_29) * TWO_19 + place;
  const tailHigh = Math.floor(tail / TWO_16);
  const head = `${hexOfTime(occurredAtMs)}-${hex16(0x7000 | writerId)}-${hex16(0x8000 | batchHigh)}`;
  return `${head}-${hex16(tailHigh >>> 16)}${hex16(tailHigh & 0xffff)}${hex16(tail % TWO_16)}` as TransactionId;
}

/** The inverse of {@link transactionId}; `null` for a text that no ledger position produces. */
export function decodeTransactionId(text: string): { occurredAtMs: number; position: LedgerPosition } | null {
  if (!isUuid(text) || text[14] !== '7') return null;
  const occurredAtMs = Number.parseInt(text.slice(0, 8) + text.slice(9, 13), 16);
  const writerId = Number.parseInt(text.slice(15, 18), 16);
  const batchHigh = Number.parseInt(text.slice(19, 23), 16) - 0x8000;
  const tail = Number.parseInt(text.slice(24), 16);
  const place = tail % TWO_19;
  const batch = batchHigh * TWO_29 + Math.floor(tail / TWO_19);
  if (writerId > positionBounds.writerIdMax || place > positionBounds.placeMax || batch < 1) return null;
  return { occurredAtMs, position: { writerId, batch, place } };
}

/** The `seq` column of a position, as the decimal text of a `bigint`. */
export function seqOf(position: LedgerPosition): string {
  return ((BigInt(position.writerId) << 53n) | (BigInt(position.batch) << 10n) | BigInt(position.place)).toString();
}

export function positionOf(seq: string): LedgerPosition {
  const value = BigInt(seq);
  return {
    writerId: Number(value >> 53n),
    batch: Number((value >> 10n) & 0x7ff_ffff_ffffn),
    place: Number(value & 0x3ffn),
  };
}

/** The other legs: what nothing ever waits on. */
export const programAccountRoles = { issued: 1, redeemed: 2, expired: 3, adjusted: 4, transit: 5 } as const;
export type ProgramAccountRole = keyof typeof programAccountRoles;

/** The id of a program's own account: the program's id as UUIDv8 with the role in its last byte. */
export function programAccount(programId: ProgramId, role: ProgramAccountRole): AccountId {
  const roleHex = hexOfByte[programAccountRoles[role]] as string;
  return `${programId.slice(0, 14)}8${programId.slice(15, 34)}${roleHex}` as AccountId;
}
