/** What a scenario is given, and what it gives. */
import type { Table } from '../../table.ts';
import type { Cast, SideName } from '../cast.ts';
import type { Environment } from '../environment.ts';
import type { Figure, Series } from '../report/report.ts';
import type { RoundSettings } from '../round.ts';
import type { Workload } from '../side.ts';

export interface Stage {
  readonly environment: Environment;
  readonly cast: Cast;
  readonly settings: RoundSettings;
  readonly rounds: number;
  readonly sides: readonly SideName[];
  readonly workloads: readonly Workload[];
  /** Which of our sides the scenarios beside the comparison use. */
  readonly ours: 'ours' | 'ours-relay';
  /** Of the one long run. */
  readonly longSeconds: number;
  readonly seed: number;
}

export interface Findings {
  readonly series?: readonly Series[];
  readonly figures?: readonly Figure[];
  readonly tables?: readonly Table[];
  readonly notes?: readonly string[];
}

export type Scenario = (stage: Stage) => Promise<Findings>;
