/**
 * The program module: loyalty programs, and the versions of what they ask of the ledger. Owner of `programs` and
 * `program_versions`.
 */
import type { AccountId, ProgramId } from '@local-plus/contracts';
import { Batcher } from '../platform/batching/index.ts';
import { type Handlers, ProblemError } from '../platform/http/index.ts';
import { type Database, DatabaseUnavailable } from '../platform/postgres/index.ts';
import { ProgramDirectory, renewalOf } from './directory.ts';
import type { ProgramFacts } from './domain.ts';
import { programHandlers } from './handler.ts';
import { ProgramStore, type ScheduledProgram } from './store.ts';
import type { ProgramRules } from './terms.ts';

export type { ProgramFacts } from './domain.ts';
export { type ProgramOwner, type Programs, seenProgram } from './seen.ts';
export type { ProgramRules } from './terms.ts';

export interface ProgramOptions {
  readonly database: Pick<Database, 'read' | 'write'>;
  readonly limits: {
    readonly programsHeldMax: number;
    readonly programBatchMax: number;
    readonly programWaitingMax: number;
  };
}

type Found<Facts> = Facts | null | Promise<Facts | null>;

export interface ProgramModule {
  readonly handlers: Handlers;
  /** At once when it is known; its rules are current whenever they are looked at, for as long as it is found again. */
  find(programId: ProgramId): Found<ProgramFacts>;
  /** Only from memory, with rules that may have to be read anew ({@link withCurrentRules}). */
  known(programId: ProgramId): ProgramFacts | undefined;
}

export function createProgramModule({ database, limits }: ProgramOptions): ProgramModule {
  const store = new ProgramStore(database);
  const nowMs = Date.now;
  const rows = new Batcher<ProgramId, ScheduledProgram | null>({
    batchMax: limits.programBatchMax,
    waitingMax: limits.programWaitingMax,
    run: (ids) => store.scheduled(ids, nowMs()),
    concernsAll: (error) => error instanceof DatabaseUnavailable,
    refusal: () => new ProblemError('overloaded'),
  });
  const monotonicMs = () => performance.now();
  const directory = new ProgramDirectory({ rows, heldMax: limits.programsHeldMax, nowMs, monotonicMs });
  return {
    handlers: programHandlers({ store, nowMs }),
    find: (programId) => directory.find(programId),
    known: (programId) => directory.known(programId),
  };
}

/** Accounts are remembered longer than what is known of their programs may be gone by: found here, they have current rules. */
export function withCurrentRules<Terms extends { readonly rules: ProgramRules }>(accounts: {
  find(accountId: AccountId): Found<Terms>;
}): { find(accountId: AccountId): Found<Terms> } {
  const current = (terms: Terms | null): Found<Terms> =>
    terms === null ? null : (renewalOf(terms.rules)?.then(() => terms) ?? terms);
  return {
    find(accountId) {
      const found = accounts.find(accountId);
      return found instanceof Promise ? found.then(current) : current(found);
    },
  };
}
