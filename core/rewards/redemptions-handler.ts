/**
 * Wire ↔ redemptions: redeem, cancel, read.
 *
 * - A request that is sent again goes on with its redemption where it stands, and has its first outcome: the redemption, or what
 *   it was refused with.
 * - Another tenant's reward, wallet or redemption answers as what does not exist.
 */
import {
  type AccountId,
  type GiftcardId,
  type Problem,
  parseId,
  uuidV7,
  type WalletId,
  type rewards as wire,
} from '@local-plus/contracts';
import type { AccountTerms } from '../ledger/index.ts';
import { idOf } from '../platform/cursor/index.ts';
import {
  type CoreAnswer,
  type CoreRequest,
  createdAnswer,
  creationKey,
  cursorValue,
  type Handlers,
  ProblemError,
  replayedHeaders,
  sees,
} from '../platform/http/index.ts';
import { seenProgram } from '../program/index.ts';
import { drawCode } from './domain.ts';
import { ok, pageJson, seenReward } from './handler.ts';
import type { HandlerPorts } from './ports.ts';
import type { NewRedemption, RedemptionRow } from './redemptions-store.ts';
import type { RewardRow } from './store.ts';

type Asking = Pick<CoreRequest, 'params' | 'context'>;

export function redemptionHandlers(ports: HandlerPorts): Handlers {
  return {
    'rewards.redeem': (request) => redeem(ports, request),
    'redemptions.read': async (request) => ok(redemptionJson(await seenRedemption(ports, request))),
    'redemptions.list': (request) => list(ports, request),
    'redemptions.cancel': (request) => cancel(ports, request),
    'wallets.redemptions': (request) => listOfWallet(ports, request),
  };
}

async function redeem(ports: HandlerPorts, request: CoreRequest<'rewards.redeem'>): Promise<CoreAnswer> {
  const { redemptions, process, nowMs } = ports;
  const reward = await seenReward(ports, request);
  const wallet = await seenWallet(ports, request, request.body.wallet_id);
  if (wallet.programId !== reward.program_id) throw new ProblemError('program_mismatch');
  const key = creationKey(request, [reward.id, wallet.accountId]);
  const known = await redemptions.ofKey(key);
  if (known === null) await checkTier(ports, reward, wallet);
  const { accountId } = wallet;
  const isCard = reward.gives.type === 'gift_card';
  const wanted: NewRedemption = {
    id: uuidV7<string>(nowMs()),
    reward_id: reward.id,
    wallet_id: accountId,
    customer_id: await ports.customerOf(accountId as string as WalletId),
    code: isCard ? null : drawCode(),
    giftcard_id: isCard ? uuidV7<GiftcardId>(nowMs()) : null,
    correlation_id: request.requestId,
    traceparent: request.traceparent,
  };
  const outcome = await redemptions.take(key, wanted);
  if (outcome.type === 'refused') throw new ProblemError(outcome.code);
  if (outcome.type === 'key_reused') throw new ProblemError('idempotency_key_reused');
  if (outcome.type === 'conflict') throw new Error('what is known by its key is there');
  const { row, giftcardCode } = await process.settle(outcome.row, request.deadlineMs);
  const isReplayed = outcome.type === 'replayed';
  if (row.status === 'refused' && row.refusal !== null) return refused(row.refusal, isReplayed);
  // As it was completed, the first time and every time.
  const completed = { ...row, status: 'completed', cancelled_at: null } as const;
  return createdAnswer({ ...redemptionJson(completed), giftcard_code: giftcardCode }, isReplayed);
}

async function checkTier({ tiers }: HandlerPorts, reward: RewardRow, wallet: AccountTerms): Promise<void> {
  if (reward.tiers === null) return;
  const tier = await tiers.current(wallet.accountId, wallet.programId);
  if (tier === null || !reward.tiers.includes(tier)) throw new ProblemError('reward_tier_missing');
}

async function cancel(ports: HandlerPorts, request: CoreRequest<'redemptions.cancel'>): Promise<CoreAnswer> {
  const { redemptions, process } = ports;
  const { id } = await seenRedemption(ports, request);
  const { reason = null } = request.body;
  const key = creationKey(request, ['cancel', id, reason]);
  const outcome = await redemptions.cancel(key, id, reason);
  if (outcome.type === 'key_reused') throw new ProblemError('idempotency_key_reused');
  if (outcome.type === 'conflict') throw new ProblemError('redemption_status');
  const row = await redemptions.find(id);
  if (row === null) throw new Error('a redemption is gone');
  const settled = await process.settle(row, request.deadlineMs);
  const isReplayed = outcome.type === 'replayed';
  const cancellation = await redemptions.cancellation(key);
  if (cancellation !== null && cancellation.refusal !== null) return refused(cancellation.refusal, isReplayed);
  return createdAnswer(redemptionJson(settled.row), isReplayed, 200);
}

async function list(ports: HandlerPorts, request: CoreRequest<'redemptions.list'>): Promise<CoreAnswer> {
  const { programId } = await seenProgram(ports.programs, request);
  const { limit, cursor, reward_id: rewardId = null, code = null } = request.queryValues;
  const rows = await ports.redemptions.page(
    { programId, rewardId, code },
    cursorValue(cursor, idOf<string>),
    limit + 1,
  );
  return ok(pageJson(rows, limit, redemptionJson));
}

async function listOfWallet(ports: HandlerPorts, request: CoreRequest<'wallets.redemptions'>): Promise<CoreAnswer> {
  const { accountId } = await seenWallet(ports, request, request.params[0]);
  const { limit, cursor } = request.queryValues;
  const rows = await ports.redemptions.ofWallet(accountId, cursorValue(cursor, idOf<string>), limit + 1);
  return ok(pageJson(rows, limit, redemptionJson));
}

async function seenRedemption({ redemptions }: HandlerPorts, { params, context }: Asking): Promise<RedemptionRow> {
  const id = parseId<string>(params[0] ?? '');
  const row = id === null ? null : await redemptions.find(id);
  if (row === null || !sees(context, row.merchant_id)) throw new ProblemError('not_found');
  return row;
}

async function seenWallet(
  { accounts }: HandlerPorts,
  { context }: Pick<CoreRequest, 'context'>,
  id: string | undefined,
): Promise<AccountTerms> {
  const accountId = parseId<AccountId>(id ?? '');
  const terms = accountId === null ? null : await accounts.find(accountId);
  if (terms === null || terms.kind !== 'wallet' || !sees(context, terms.merchantId))
    throw new ProblemError('not_found');
  return terms;
}

/** Word for word what it was refused with first. */
function refused(problem: Problem, isReplayed: boolean): CoreAnswer {
  const answer = { status: problem.status, body: JSON.stringify(problem) };
  return isReplayed ? { ...answer, headers: replayedHeaders } : answer;
}

/** On the way to the card, and back from it, it is pending to whoever asks. */
const shownStatuses: Readonly<Record<RedemptionRow['status'], wire.RedemptionStatus>> = {
  pending: 'pending',
  burned: 'pending',
  returning: 'pending',
  completed: 'completed',
  refused: 'refused',
  cancelling: 'cancelling',
  cancelled: 'cancelled',
};

function redemptionJson(row: RedemptionRow): wire.Redemption {
  const { id, reward_id, program_id, wallet_id, name, gives, points, transaction_id } = row;
  const status = shownStatuses[row.status];
  const isGiven = row.completed_at !== null;
  return {
    id,
    reward_id,
    program_id,
    wallet_id,
    name,
    gives,
    points,
    status,
    code: isGiven ? row.code : null,
    giftcard_id: isGiven ? row.giftcard_id : null,
    giftcard_code: null,
    transaction_id,
    created_at: row.created_at.toISOString(),
    completed_at: row.completed_at?.toISOString() ?? null,
    cancelled_at: row.cancelled_at?.toISOString() ?? null,
  };
}
