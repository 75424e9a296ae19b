/** From what the ledger's rows add up to, to what a program owes. Pure; sums are bigints, since they may pass 2^53. */
import type { TransactionKind } from '@local-plus/actors';
import type { ProgramAccountRole, ProgramId } from '@local-plus/contracts';
import type { Flow } from '../ledger/index.ts';

export const columns = [
  'issued',
  'redeemed',
  'expired',
  'adjusted',
  'transferred',
  'reversed_issued',
  'reversed_redeemed',
  'reversed_adjusted',
] as const;
export type Column = (typeof columns)[number];
export type Sums = Readonly<Record<Column, bigint>>;

/** In which column a kind is counted, and whether what accounts lose counts as positive there; null: nothing moves. */
const places: Readonly<Record<Exclude<TransactionKind, 'reverse'>, readonly [Column, 1n | -1n] | null>> = {
  earn: ['issued', 1n],
  load: ['issued', 1n],
  burn: ['redeemed', -1n],
  redeem: ['redeemed', -1n],
  capture: ['redeemed', -1n],
  expire: ['expired', -1n],
  adjust: ['adjusted', 1n],
  transfer_in: ['transferred', 1n],
  transfer_out: ['transferred', 1n],
  hold: null,
  release: null,
  freeze: null,
  unfreeze: null,
};

/** Of a reversal, by whose account its other leg is of: that tells what it reversed. */
const reversals: Readonly<Record<ProgramAccountRole, Column>> = {
  issued: 'reversed_issued',
  redeemed: 'reversed_redeemed',
  adjusted: 'reversed_adjusted',
  // What could not arrive, and came back.
  transit: 'transferred',
  expired: 'reversed_adjusted',
};

/** What a piece of the ledger adds to a program's day. */
export interface DaySums {
  readonly programId: ProgramId;
  readonly day: string;
  readonly sums: Sums;
  readonly rows: number;
}

export const noSums: Sums = {
  issued: 0n,
  redeemed: 0n,
  expired: 0n,
  adjusted: 0n,
  transferred: 0n,
  reversed_issued: 0n,
  reversed_redeemed: 0n,
  reversed_adjusted: 0n,
};

/** By program and day, in that order: so two that write the same rows lock them in the same order. */
export function daysOf(flows: readonly Flow[]): readonly DaySums[] {
  const days = new Map<string, { programId: ProgramId; day: string; sums: Record<Column, bigint>; rows: number }>();
  for (const { programId, day, kind, role, delta, rows } of flows) {
    const key = `${programId} ${day}`;
    const found = days.get(key) ?? { programId, day, sums: { ...noSums }, rows: 0 };
    days.set(key, found);
    found.rows += rows;
    const place = kind === 'reverse' ? ([reversals[role ?? 'adjusted'], 1n] as const) : places[kind];
    if (place !== null) found.sums[place[0]] += place[1] * BigInt(delta);
  }
  return [...days].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, sums]) => sums);
}

/** By how much what is owed grew. */
export function netOf(sums: Sums): bigint {
  return sums.issued - sums.redeemed - sums.expired + sums.adjusted + sums.transferred + reversedOf(sums);
}

export function reversedOf(sums: Sums): bigint {
  return sums.reversed_issued + sums.reversed_redeemed + sums.reversed_adjusted;
}

export function added(one: Sums, other: Sums): Sums {
  const sums = { ...one };
  for (const column of columns) sums[column] += other[column];
  return sums;
}

const MILLION = 1_000_000n;

/** Of what ended, by being redeemed for good or by expiring, the part that expired, in millionths; null: nothing ended. */
export function breakagePpm(sums: Sums): number | null {
  const redeemed = sums.redeemed - sums.reversed_redeemed;
  const ended = sums.expired + (redeemed > 0n ? redeemed : 0n);
  return ended <= 0n ? null : Number((sums.expired * MILLION) / ended);
}

/** What a balance would pay, rounded down; nothing if it is below zero. */
export function worthOf(balance: bigint, rate: { readonly points: number; readonly amount: number }): bigint {
  return balance <= 0n ? 0n : (balance * BigInt(rate.amount)) / BigInt(rate.points);
}
