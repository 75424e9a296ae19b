/**
 * One side of the bench: something that posts earns durably, and how to see what it did.
 *
 * Most are servers on the loopback (`http`); those that measure a part of the way without HTTP drive themselves.
 */
import type { SigningKey } from '@local-plus/contracts';
import type { Caller } from '../signing.ts';

export type Workload = 'uniform' | 'hot';
export const workloads: readonly Workload[] = ['uniform', 'hot'];

/** What a generator saw of one round. */
export interface Outcome {
  readonly answers: number;
  /** Answers that were no success. */
  readonly notOk: number;
  /** Connections that failed, and answers that did not come. */
  readonly broken: number;
  /** Requests that were sent; more than the answers by what was under way at the end. */
  readonly handed: number;
  readonly elapsedMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Processor seconds of a generator in a process of its own; 0 where the side drives itself. */
  readonly cpuS: number;
}

interface SideBase {
  readonly name: string;
  /** Whose processor time is the server's. */
  readonly pid: number;
  /** A broker, or another store, that works for this side only. */
  readonly brokerPid: number | null;
  /** Transactions in its store; null: it keeps none. */
  readonly countRows: (() => Promise<number>) | null;
  /** Batches that were committed, where there are batches. */
  readonly countBatches?: () => Promise<number>;
  /** Requests or statements that an ended round has left behind. null: it leaves none. */
  readonly countBusy: (() => Promise<number>) | null;
  /** What contradicts itself in its store, in words: balances against rows. null: it keeps none. */
  readonly audit: (() => Promise<readonly string[]>) | null;
  stop(): Promise<void>;
}

export interface HttpSide extends SideBase {
  readonly kind: 'http';
  readonly port: number;
  readonly caller: Caller;
  readonly signingKey: SigningKey;
  readonly walletIds: readonly string[];
  /** Its design refuses some requests under contention: they are no faults, and do not count as done. */
  readonly mayRefuse: boolean;
}

export interface OwnSide extends SideBase {
  readonly kind: 'own';
  /** Works for so long, closed loop. */
  drive(workload: Workload, seconds: number): Promise<Outcome>;
}

export type Side = HttpSide | OwnSide;

/** What every side needs of the machine it runs on. */
export interface Surroundings {
  /** Scratch folder of this bench. */
  readonly dir: string;
  /** A new, empty database of the bench's own Postgres; returns its address. */
  createDatabase(name: string): Promise<string>;
  readonly walletCount: number;
  log(line: string): void;
}
