/** What payments need of others. */
import type { Command } from '@local-plus/actors';
import type { AccountTerms } from '../ledger/index.ts';
import type { SourceType } from './domain.ts';

/** An account that a payment can be taken from. */
export interface FoundSource {
  readonly terms: AccountTerms;
  /** What it is in; null: points, which pay at their program's rate. */
  readonly currency: string | null;
}

/** What a source is asked for, as the ledger's desk takes it. */
export interface Admission {
  readonly terms: AccountTerms;
  /** What was asked; or its decline, where the source's own state does not allow it: the ledger refuses that, and remembers. */
  readonly command: Command;
}

/** All of them: null: there is none of that type and id. */
export interface Sources {
  find(type: SourceType, id: string): FoundSource | null | Promise<FoundSource | null>;
  /** By the state in which it is now: what is new to it, and what comes back to it. */
  admit(
    type: SourceType,
    id: string,
    activity: 'hold' | 'refund',
    command: (terms: AccountTerms) => Command,
  ): Promise<Admission | null>;
}
