/** What the ledger's program without HTTP (ledger-program.ts) is told, and what it answers. */
import type { RuntimeLimits } from '@local-plus/actors';

export interface LedgerSettings {
  readonly databaseUrl: string;
  /** Begins every key. */
  readonly keyPrefix: string;
  readonly limits?: Partial<RuntimeLimits>;
  /** How far its clock is ahead. */
  readonly aheadMs?: number;
}

export interface DriveOrder {
  readonly type: 'drive';
  /** The first so many accounts, in turn. */
  readonly wallets: number;
  readonly clients: number;
  readonly seconds: number;
  readonly requestsMax: number;
  /** Of what is earned; null: it never expires. */
  readonly expiryDays: number | null;
}

export interface LotsOrder {
  readonly type: 'lots';
  readonly wallets: number;
  readonly lots: number;
  readonly expiryDays: number;
}

export type Order = { readonly type: 'start' } | DriveOrder | LotsOrder | { readonly type: 'memory' };

export interface MemoryAnswer {
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly rssBytes: number;
  readonly actors: number;
}

/** The n-th account: the same one in SQL and in the program. */
export function accountIdOf(n: number): string {
  return `00000000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
}
