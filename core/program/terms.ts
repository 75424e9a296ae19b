/**
 * What a program asks of the ledger, in its three forms: as merchants write it, as it stands in its row, as the ledger
 * takes it. Pure.
 */
import type { ExpiryRule, ReversalPolicy } from '@local-plus/actors';
import { limits, type merchants } from '@local-plus/contracts';

export interface ProgramRules {
  /** When what is earned expires; null: never. */
  readonly expiry: ExpiryRule | null;
  readonly reversalPolicy: ReversalPolicy;
  /** Of a hold that does not say it itself. */
  readonly holdExpiresInS: number;
}

/** The columns of `programs`, and of `program_versions`, that say it. */
export interface RuleColumns {
  /** An ISO 8601 duration of whole months or days: `P12M`, `P90D`. */
  readonly point_expiry: string | null;
  readonly point_expiry_end_of_month: boolean;
  readonly reversal_policy: ReversalPolicy['type'];
  readonly reversal_negative_limit: number | null;
  readonly hold_expires_in_s: number;
}

type WireRules = Pick<merchants.Program, 'point_expiry' | 'reversal_policy' | 'hold_expires_in_s'>;

const letters = { months: 'M', days: 'D' } as const;
const DURATION = /^P([1-9][0-9]{0,3})([MD])$/;

export function columnsOf(
  wanted: Pick<merchants.CreateProgram, 'point_expiry' | 'reversal_policy' | 'hold_expires_in_s'>,
): RuleColumns {
  const { point_expiry: expiry, reversal_policy: policy, hold_expires_in_s } = wanted;
  return {
    point_expiry: expiry === undefined ? null : `P${expiry.count}${letters[expiry.period]}`,
    point_expiry_end_of_month: expiry?.end_of_month ?? false,
    reversal_policy: policy.type,
    reversal_negative_limit: policy.type === 'negative' ? policy.limit : null,
    hold_expires_in_s,
  };
}

/** Throws for a row that no request of ours can have made. */
export function rulesOf(columns: RuleColumns): ProgramRules {
  const { point_expiry, point_expiry_end_of_month, reversal_policy, reversal_negative_limit } = columns;
  return {
    expiry: point_expiry === null ? null : { ...durationOf(point_expiry), endOfMonth: point_expiry_end_of_month },
    reversalPolicy: policyOf(reversal_policy, reversal_negative_limit),
    holdExpiresInS: columns.hold_expires_in_s,
  };
}

export function wireRulesOf(columns: RuleColumns): WireRules {
  const { expiry, reversalPolicy, holdExpiresInS } = rulesOf(columns);
  return {
    point_expiry:
      expiry === null ? null : { period: expiry.period, count: expiry.count, end_of_month: expiry.endOfMonth },
    reversal_policy: reversalPolicy,
    hold_expires_in_s: holdExpiresInS,
  };
}

/**
 * For the hash of a creation: nothing where a program asks for nothing, so that the keys of programs that were created
 * before there were rules still name the same request.
 */
export function hashedRules(columns: RuleColumns): readonly RuleColumns[] {
  const asksNothing =
    columns.point_expiry === null &&
    columns.reversal_policy === 'refuse' &&
    columns.hold_expires_in_s === limits.holdSecondsDefault;
  return asksNothing ? [] : [columns];
}

function durationOf(text: string): Pick<ExpiryRule, 'period' | 'count'> {
  const [, count, letter] = DURATION.exec(text) ?? [];
  if (count === undefined) throw new Error('a program has an expiry of another form');
  return { period: letter === 'M' ? 'months' : 'days', count: Number(count) };
}

function policyOf(type: ReversalPolicy['type'], limit: number | null): ReversalPolicy {
  if (type !== 'negative') return { type };
  if (limit === null) throw new Error('a program lets balances go below zero without a limit');
  return { type, limit };
}
