/**
 * Wire ↔ what a purchase would earn: the rules run, the account machine decides on the committed state, nothing is posted.
 * The numbers are those of an earn at the same moment; another purchase may come between.
 */
import {
  type AccountState,
  allot,
  type Command,
  type Decision,
  decide,
  openedAccount,
  purchasesCounter,
} from '@local-plus/actors';
import {
  type AccountId,
  limits,
  type MerchantId,
  type ProgramId,
  parseId,
  type rules as wire,
} from '@local-plus/contracts';
import { type CoreAnswer, type CoreRequest, ProblemError, sees } from '../platform/http/index.ts';
import { type ProgramOwner, type Programs, seenProgram } from '../program/index.ts';
import type { RulesDirectory } from './directory.ts';
import { type CompiledRules, type Facts, unmatchedBy } from './domain.ts';
import { grantsOf, madeAtMs, type RatedRule, rate, ratePurchase } from './rating.ts';

/** What a quote has to know of a wallet. */
export interface WalletOwner {
  readonly accountId: AccountId;
  readonly merchantId: MerchantId;
  readonly programId: ProgramId;
}

export interface QuotePorts {
  readonly directory: RulesDirectory;
  readonly programs: Programs<QuotedProgram>;
  readonly wallets: { find(accountId: AccountId): WalletOwner | null | Promise<WalletOwner | null> };
  /** The committed state; rejects with `unavailable`. */
  readonly states: { read(accountId: AccountId): Promise<AccountState> };
  /** null: none. */
  readonly tiers: { find(accountId: AccountId): string | null | Promise<string | null> };
  readonly nowMs: () => number;
}

export interface QuotedProgram extends ProgramOwner {
  readonly unit: string;
}

export async function quote(ports: QuotePorts, request: CoreRequest<'programs.quote'>): Promise<CoreAnswer> {
  const { programId, unit } = await seenProgram(ports.programs, request);
  const { purchase, wallet_id } = request.body;
  const wallet = wallet_id === undefined ? null : await seenWallet(ports, request, wallet_id);
  if (wallet !== null && wallet.programId !== programId) throw new ProblemError('program_mismatch');
  const nowMs = ports.nowMs();
  const rules = await ports.directory.find(programId, nowMs);
  if (rules === null) throw new ProblemError('no_rules_in_force');
  const state = wallet === null ? openedAccount : await ports.states.read(wallet.accountId);
  const tier = wallet === null || !rules.asksForTier ? null : await ports.tiers.find(wallet.accountId);
  const command: Command = { kind: 'purchase', programId, expiry: null, ...ratePurchase(rules, purchase, tier, nowMs) };
  const decision = decide(state, command, nowMs);
  const answer: wire.Quoted = {
    program_id: programId,
    wallet_id: wallet?.accountId ?? null,
    rules_id: rules.id,
    rules_version: rules.version,
    tier,
    ...decided(decision, wallet?.accountId ?? null),
    unit,
    ...explained(rules, purchase, state, tier, nowMs),
  };
  return { status: 200, body: JSON.stringify(answer) };
}

async function seenWallet(
  ports: QuotePorts,
  { context }: Pick<CoreRequest, 'context'>,
  id: string,
): Promise<WalletOwner> {
  const accountId = parseId<AccountId>(id);
  const wallet = accountId === null ? null : await ports.wallets.find(accountId);
  if (wallet === null || !sees(context, wallet.merchantId)) throw new ProblemError('not_found');
  return wallet;
}

function decided(
  decision: Decision,
  accountId: AccountId | null,
): Pick<wire.Quoted, 'points' | 'refusal' | 'postings'> {
  if (decision.type === 'refuse') return { points: 0, refusal: refusalOf(decision.code), postings: [] };
  const { amount, balanceDelta, contraAccountId } = decision.posting;
  const entries = [
    { account_id: accountId, amount: balanceDelta },
    { account_id: contraAccountId, amount: -balanceDelta },
  ];
  // All of it pays a debt back: nothing moves.
  const posting = { kind: 'earn', amount, entries: balanceDelta === 0 ? [] : entries } as const;
  return { points: amount, refusal: null, postings: [posting] };
}

function refusalOf(code: Extract<Decision, { type: 'refuse' }>['code']): NonNullable<wire.Quoted['refusal']> {
  switch (code) {
    case 'account_frozen':
    case 'nothing_earned':
    case 'balance_limit_exceeded':
    case 'counters_limit_exceeded':
      return code;
    default:
      throw new Error(`a purchase is not refused with ${code}`);
  }
}

/** What each rule gives under the caps of now; a refusal for another reason than these does not change it. */
function explained(
  rules: CompiledRules,
  purchase: wire.Purchase,
  state: AccountState,
  tier: string | null,
  nowMs: number,
): Pick<wire.Quoted, 'rules' | 'rules_omitted'> {
  const facts: Facts = {
    purchase,
    time: rules.calendar.at(madeAtMs(purchase, nowMs)),
    isFirst: !state.counters.some(([key]) => key === purchasesCounter),
    tier,
  };
  const rated = rate(rules, facts);
  const atMs = Math.max(nowMs, state.lastAtMs);
  const { amounts } = allot(state.counters, grantsOf(rules, rated, nowMs), atMs);
  let granted = 0;
  const matched = rated.map((each) => matchedJson(each, each.points > 0 ? (amounts[granted++] ?? 0) : 0));
  const shown = matched.slice(0, limits.quoteRulesMax);
  const known = new Set(rated.map(({ rule }) => rule));
  for (const rule of rules.rules) {
    if (shown.length === limits.quoteRulesMax) break;
    if (!known.has(rule)) shown.push(unmatchedJson(rule.rule, unmatchedBy(rule, facts)));
  }
  return { rules: shown, rules_omitted: rules.rules.length - shown.length };
}

function matchedJson({ rule, eligibleAmount, beforeCaps, lostTo }: RatedRule, points: number): wire.RuleQuote {
  const { id, name = null } = rule.rule;
  return {
    id,
    name,
    matched: true,
    unmatched_by: null,
    eligible_amount: eligibleAmount,
    lost_to: lostTo?.rule.id ?? null,
    before_caps: beforeCaps,
    points,
  };
}

function unmatchedJson(rule: wire.Rule, reason: wire.RuleQuote['unmatched_by']): wire.RuleQuote {
  const { id, name = null } = rule;
  return {
    id,
    name,
    matched: false,
    unmatched_by: reason,
    eligible_amount: null,
    lost_to: null,
    before_caps: 0,
    points: 0,
  };
}
