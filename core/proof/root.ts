/**
 * The text under a day's root. Pure.
 *
 * - R1 a root covers the root before it: who holds one root holds all days up to it.
 * - R2 a root covers each account that changed, as it stood at the day's end, with its link of the account's chain: and
 *   that link covers every row up to it.
 *
 * Lines of JSON arrays, each ended by a newline: the day and the root before; the accounts in the order of their ids; the
 * counts. SHA-256 over its UTF-8, so anybody can recompute it from `ledger_roots` and `balance_snapshots`.
 */
import { createHash } from 'node:crypto';

/** A UTC day, YYYY-MM-DD. */
export type DayText = string;

export interface SnapshotLine {
  readonly accountId: string;
  readonly version: number;
  readonly balance: number;
  readonly held: number;
  /** Lower-case hex; null: the account's rows are older than the chain. */
  readonly hash: string | null;
}

export interface DayCounts {
  readonly accounts: number;
  readonly transactions: number;
}

/** Takes the lines in the order of account ids, however many; keeps none. */
export class RootDigest {
  readonly #digest = createHash('sha256');

  /** @param previous the root of the day before in lower-case hex; null: this is the first day */
  constructor(day: DayText, previous: string | null) {
    this.#line([day, previous]);
  }

  add(line: SnapshotLine): void {
    this.#line([line.accountId, line.version, line.balance, line.held, line.hash]);
  }

  /** Lower-case hex. Nothing can be added afterwards. */
  close(counts: DayCounts): string {
    this.#line([counts.accounts, counts.transactions]);
    return this.#digest.digest('hex');
  }

  #line(parts: readonly (string | number | null)[]): void {
    this.#digest.update(`${JSON.stringify(parts)}\n`);
  }
}

const DAY_MS = 24 * 3_600_000;

/** `days` later, or earlier. */
export function dayAfter(day: DayText, days = 1): DayText {
  return dayOf(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS);
}

export function dayOf(atMs: number): DayText {
  return new Date(atMs).toISOString().slice(0, 10);
}

export function isOver(day: DayText, nowMs: number): boolean {
  return day < dayOf(nowMs);
}

/** Whether it is a day of the calendar, YYYY-MM-DD. */
export function isDay(text: string): boolean {
  const atMs = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  return !Number.isNaN(atMs) && dayOf(atMs) === text;
}
