/**
 * The states of accounts whose actors made room: packed, so that many more accounts are at hand than have an actor.
 *
 * - H1 what stands here is the account's committed state, as the store would give it back: an account has an actor or a place
 *   here, never both, and whoever lets go of an account empties the shelf.
 * - H2 a state is given back as it was put there, or not at all: one that does not fit its place (holds, reversals, counters,
 *   debt, frozen, more than a few lots) is loaded again.
 */
import type { Buffer } from 'node:buffer';
import type { AccountId } from '@local-plus/contracts';
import { noLots } from '../account/lots.ts';
import type { AccountState, Lot } from '../account/model.ts';
import { earliestDueMs, noHolds, openedAccount } from '../account/state.ts';
import { UuidTable } from './uuid-table.ts';

/** Words of a record: what is there, four numbers, the newest link of the chain, lots. */
const NUMBERS = 1;
const HASH = NUMBERS + 4 * 2;
const HASH_BYTES = 32;
const LOTS = HASH + HASH_BYTES / 4;
const LOTS_MAX = 5;
const RECORD_WORDS = LOTS + LOTS_MAX * 2;

/** What is there: how many lots, and whether there is a link, and a base. */
const LOTS_MASK = 0x0f;
const HAS_HASH = 0x10;
const HAS_BASE = 0x20;

/** A lot is two words: 16 bits of its day, 48 of its amount. */
const DAY_MAX = 2 ** 16 - 1;
const AMOUNT_MAX = 2 ** 48 - 1;
const TWO_32 = 2 ** 32;

export interface Shelved {
  readonly state: AccountState;
  /** The newest link of its hash chain. */
  readonly hash: string | null;
}

export class Shelf {
  readonly #table: UuidTable;

  /** @param places a power of two from 8 on; 128 bytes each, once one was used */
  constructor(places: number) {
    this.#table = new UuidTable(places, RECORD_WORDS);
  }

  get size(): number {
    return this.#table.size;
  }

  /** False: it does not fit, and nothing stands there. */
  put(accountId: AccountId, state: AccountState, hash: string | null): boolean {
    if (!fits(state)) return false;
    const at = this.#table.take(accountId);
    if (at < 0) return false;
    const { words, floats, bytes } = this.#table;
    const { version, balance, lastAtMs, baseVersion, lots } = state;
    if (hash !== null && !isWritten(hash, bytes, (at + HASH) * 4)) {
      this.#table.free(at);
      return false;
    }
    words[at] = lots.length | (hash === null ? 0 : HAS_HASH) | (baseVersion === null ? 0 : HAS_BASE);
    const number = (at + NUMBERS) / 2;
    floats[number] = version;
    floats[number + 1] = balance;
    floats[number + 2] = lastAtMs;
    floats[number + 3] = baseVersion ?? 0;
    for (const [index, [day, amount]] of lots.entries()) {
      const lot = at + LOTS + index * 2;
      words[lot] = amount;
      words[lot + 1] = day * 2 ** 16 + Math.floor(amount / TWO_32);
    }
    return true;
  }

  /** Its place is free afterwards. null: it is not there. */
  take(accountId: AccountId): Shelved | null {
    const at = this.#table.find(accountId);
    if (at < 0) return null;
    const { words, floats, bytes } = this.#table;
    const is = words[at] as number;
    const lots = this.#lotsOf(at + LOTS, is & LOTS_MASK);
    const number = (at + NUMBERS) / 2;
    const state: AccountState = {
      ...openedAccount,
      version: floats[number] as number,
      balance: floats[number + 1] as number,
      lastAtMs: floats[number + 2] as number,
      lots,
      baseVersion: is & HAS_BASE ? (floats[number + 3] as number) : null,
      dueAtMs: earliestDueMs(lots, noHolds),
    };
    const hashAt = (at + HASH) * 4;
    const hash = is & HAS_HASH ? bytes.toString('hex', hashAt, hashAt + HASH_BYTES) : null;
    this.#table.free(at);
    return { state, hash };
  }

  clear(): void {
    this.#table.clear();
  }

  #lotsOf(at: number, count: number): readonly Lot[] {
    if (count === 0) return noLots;
    const { words } = this.#table;
    return Array.from({ length: count }, (_, index) => {
      const [low = 0, high = 0] = words.subarray(at + index * 2, at + index * 2 + 2);
      return [high >>> 16, (high & 0xffff) * TWO_32 + low];
    });
  }
}

/** False: it is of another length, or no hexadecimal text. */
function isWritten(hash: string, bytes: Buffer, at: number): boolean {
  return hash.length === HASH_BYTES * 2 && bytes.write(hash, at, HASH_BYTES, 'hex') === HASH_BYTES;
}

/** H2. */
function fits(state: AccountState): boolean {
  const { frozen, owed, lots, holds, reversals, counters, dueAtMs } = state;
  if (frozen || owed !== 0 || holds.length > 0 || reversals.length > 0 || counters.length > 0) return false;
  if (lots.length > LOTS_MAX || dueAtMs !== earliestDueMs(lots, holds)) return false;
  return lots.every(([day, amount]) => day >= 0 && day <= DAY_MAX && amount <= AMOUNT_MAX);
}
