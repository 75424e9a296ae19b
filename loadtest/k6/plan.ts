/**
 * What request number n is. Pure and without chance: a run can be repeated request by request, and a test can count
 * what a thousand of them are.
 *
 * Of 100 writes about 60 are earns and 40 are burns; 5 go to the hot wallet; 1 repeats an earlier one. A burn takes
 * less than what an earn put into the same wallet {@link burnLag} writes before, so it is covered; one write of 500 asks for
 * more than anybody has.
 */

/** How many writes lie between an earn and the burn that takes from it: one second of the standard load. */
export const burnLag = 500;
export const hotWalletIndex = 0;

export interface PlannedWrite {
  readonly kind: 'earn' | 'burn';
  readonly walletIndex: number;
  readonly amount: number;
}

export interface PlannedRead {
  /** null: the public catalog; else the balance of this wallet. */
  readonly walletIndex: number | null;
}

/** Whether write `n` should repeat an earlier one of the same virtual user, if there is one. */
export function isReplay(n: number): boolean {
  return n % 100 === 99;
}

export function planWrite(n: number, walletCount: number): PlannedWrite {
  // Five writes are three earns and two burns; the first burns of a run would have nothing to take.
  const isBurn = n % 5 >= 3 && n >= burnLag;
  // n % 5 of the source is 0 or 1: an earn, and never one of the hot wallet.
  const source = isBurn ? n - burnLag - 3 : n;
  const isHot = n % 40 === 7 || n % 40 === 28;
  const walletIndex = isHot ? hotWalletIndex : uniformWallet(source, walletCount);
  if (!isBurn) return { kind: 'earn', walletIndex, amount: 100 + (n % 900) };
  const isOverdraft = n % 500 === 498;
  return { kind: 'burn', walletIndex, amount: isOverdraft ? 1_000_000_000_000 : 1 + (n % 50) };
}

export function planRead(n: number, walletCount: number): PlannedRead {
  if (n % 10 === 9) return { walletIndex: null };
  return { walletIndex: n % 20 === 7 ? hotWalletIndex : uniformWallet(n, walletCount) };
}

/** Any wallet but the hot one, all equally often. */
function uniformWallet(n: number, walletCount: number): number {
  if (walletCount < 2) return hotWalletIndex;
  return 1 + (mix(n) % (walletCount - 1));
}

/** Spreads neighbours over 32 bits: the finaliser of MurmurHash3 (Appleby, public domain). */
function mix(n: number): number {
  let hash = n | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
