/** What a run of the bench leaves behind: the content of its JSON. */
import type { Table } from '../../table.ts';
import type { RoundResult } from '../round.ts';

export interface Figure {
  readonly name: string;
  /** The least that is wanted; null: only shown. */
  readonly goal: number | null;
  /** One a round. */
  readonly values: readonly number[];
}

/** The results of one side under one workload, in the order of the rounds. */
export interface Series {
  readonly side: string;
  readonly workload: string;
  readonly rounds: readonly RoundResult[];
}

export interface BenchReport {
  readonly name: string;
  /** What made it: an npm script and its flags. */
  readonly command: string;
  readonly startedAt: string;
  readonly machine: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly series: readonly Series[];
  /** The rounds behind each table of the growth. */
  readonly curves?: readonly { readonly name: string; readonly series: readonly Series[] }[];
  readonly figures: readonly Figure[];
  /** Measured in other units than earns a second. */
  readonly tables: readonly Table[];
  readonly notes: readonly string[];
}
