/**
 * How an activity that changes a card begins, whatever it is: once per key, one of a card at a time, and only in a state that
 * allows it. Who meets another one under way finishes that one first; it may have lost its process.
 */
import { type GiftcardActivityKind, type GiftcardId, type Problem, parseId, uuidV7 } from '@local-plus/contracts';
import { type CoreAnswer, type CoreRequest, ProblemError, replayedHeaders, sees } from '../../platform/http/index.ts';
import type { CreationKey } from '../../platform/postgres/index.ts';
import type { ActivityRow, Beginning } from './activities-store.ts';
import { type CardRow, refusalOf, statusesBefore } from './domain.ts';
import { cardLimits } from './limits.ts';
import type { HandlerPorts } from './ports.ts';

/** The card in the path, as it is now. Throws `not_found` for what is none of the caller's cards. */
export async function ownCard(
  { rows }: Pick<HandlerPorts, 'rows'>,
  { params, context }: Pick<CoreRequest, 'params' | 'context'>,
  id: string | undefined = params[0],
): Promise<CardRow> {
  const cardId = parseId<GiftcardId>(id ?? '');
  const card = cardId === null ? null : await rows.submit(cardId);
  if (card === null || !sees(context, card.merchant_id)) throw new ProblemError('not_found');
  return card;
}

export interface Asked {
  readonly activity: GiftcardActivityKind;
  readonly key: CreationKey;
  readonly reason?: string;
  readonly customerId?: string;
}

export interface Begun {
  readonly row: ActivityRow;
  /** An earlier request with its key began it. */
  readonly isReplay: boolean;
}

/**
 * Throws the problems of the card's state, `idempotency_key_reused`, and `giftcard_busy` while another activity cannot be ended.
 *
 * @param write begins it, or does it; null: something stood in its way
 */
export async function begin(
  ports: HandlerPorts,
  request: CoreRequest,
  card: CardRow,
  asked: Asked,
  write: (beginning: Beginning) => Promise<ActivityRow | null>,
): Promise<Begun> {
  const { activity, key } = asked;
  for (let helps = 0; ; helps++) {
    const at = new Date(ports.nowMs());
    const row = await write({
      id: uuidV7(at.getTime()),
      card_id: card.id,
      activity,
      from: statusesBefore(activity),
      at,
      key,
      request_id: request.requestId,
      traceparent: request.traceparent,
      reason: asked.reason ?? null,
      customer_id: asked.customerId ?? null,
    });
    if (row !== null) return { row, isReplay: false };
    const earlier = await ports.activities.ofKey(key);
    if (earlier !== null) {
      if (earlier.request_hash !== key.requestHash) throw new ProblemError('idempotency_key_reused');
      return { row: earlier, isReplay: true };
    }
    await clearTheWay(ports, request, card, activity, helps);
  }
}

/** Throws why it cannot begin; returns when it may. */
async function clearTheWay(
  ports: HandlerPorts,
  request: CoreRequest,
  { id }: CardRow,
  activity: GiftcardActivityKind,
  helps: number,
): Promise<void> {
  const [other] = await ports.activities.openOf([id]);
  if (other !== undefined && helps < cardLimits.helpsMax) {
    await ports.settlement.settle(other, request.deadlineMs);
    return;
  }
  const now = await ports.rows.submit(id);
  if (now === null) throw new Error('a card does not go');
  const code = other === undefined ? refusalOf(now, activity, ports.nowMs()) : 'giftcard_busy';
  if (code !== null) throw new ProblemError(code);
  if (helps >= cardLimits.helpsMax) throw new ProblemError('giftcard_busy');
}

/** What the ledger said no to, as it was said the first time. */
export function refuse({ problem }: ActivityRow, isReplay: boolean): CoreAnswer {
  if (problem === null) throw new Error('what is refused says why');
  const { status } = JSON.parse(problem) as Problem;
  return isReplay ? { status, body: problem, headers: replayedHeaders } : { status, body: problem };
}
