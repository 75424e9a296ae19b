/** What a client wants, and each time that it asked for it. */
import type { AccountId, ProgramId, RequestId } from '@local-plus/contracts';
import type { Command } from '../account/model.ts';
import type { RequestFacts } from '../ports.ts';
import type { Outcome } from '../runtime/outcome.ts';
import type { Core } from './core.ts';

/** All accounts are of one program. */
export const programId = '01890000-0000-7000-8000-000000000000' as ProgramId;

/** One part of an operation: which command, on which account, under which key. */
export interface Wanted {
  readonly accountId: AccountId;
  readonly key: RequestFacts['idempotencyKey'];
  readonly command: Command;
}

export interface Operation {
  readonly number: number;
  /** The first is the request itself, the others go with it. */
  readonly parts: readonly [Wanted, ...Wanted[]];
  readonly requestHash: string;
  /** The store will refuse any batch with it. */
  readonly isPoison: boolean;
  /** `failed` is a possible answer. */
  readonly mayFail: boolean;
  /** Short deadlines. */
  readonly isHurried: boolean;
  /** Its outcome is known, or nobody wants to know it. */
  isDone: boolean;
  retries: number;
}

/** One request of an operation, at one core. */
export interface Attempt {
  readonly operation: Operation;
  readonly requestId: RequestId;
  readonly core: Core;
  readonly deadlineMs: number;
  outcome: Outcome | null;
}
