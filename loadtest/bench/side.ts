/** One side of the bench: a server on the loopback that answers earns, and how to see what it did. */
import type { SigningKey } from '@local-plus/contracts';
import type { Caller } from '../signing.ts';

export interface Side {
  readonly name: string;
  readonly port: number;
  readonly caller: Caller;
  readonly signingKey: SigningKey;
  readonly walletIds: readonly string[];
  /** Whose processor time is the server's. */
  readonly pid: number;
  /** A broker that works for this side only. */
  readonly kafkaPid: number | null;
  /** Transactions in its database. */
  countRows(): Promise<number>;
  stop(): Promise<void>;
}

/** What every side needs of the machine it runs on. */
export interface Surroundings {
  /** Scratch folder of this bench. */
  readonly dir: string;
  /** A new, empty database of the bench's own Postgres. */
  createDatabase(name: string): Promise<string>;
  readonly walletCount: number;
  log(line: string): void;
}
