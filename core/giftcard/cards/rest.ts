/**
 * What is left of a card whose time is over: what expires, what is cleared, what follows to the card that replaced it, and what
 * comes free later, when a hold of it is released.
 *
 * - L1 by the account's state and its version alone: two who look at once post the same under the same key, which happens once.
 * - L2 an expired account is frozen when nothing is left and nothing held: then nobody can send anything to it any more, however
 *   long it was under way. Until then holds of it are captured and released as ever.
 * - L3 what is the card's own still comes back to a frozen account: a transfer that the other card refuses late, a payment that
 *   is undone. So it is looked at again and again, each time after as long as its end is past.
 */
import type { AccountState, Command } from '@local-plus/actors';
import { giftcardAccount, type RequestId, uuidV7 } from '@local-plus/contracts';
import { deskKey, type Receipt } from '../../ledger/index.ts';
import type { Batcher } from '../../platform/batching/index.ts';
import type { CardRow } from './domain.ts';
import { cardLimits } from './limits.ts';
import type { CardPorts } from './ports.ts';
import { keyModule } from './wire.ts';

export interface RestPorts extends Pick<CardPorts, 'ledger' | 'accounts' | 'nowMs'> {
  readonly rows: Batcher<CardRow['id'], CardRow | null>;
}

/**
 * @param card expired or deactivated
 * @returns when to look again; null: nothing is left, and nothing has been under way for as long as anything can be
 */
export async function settleRest(ports: RestPorts, card: CardRow, deadlineMs: number): Promise<Date | null> {
  const accountId = giftcardAccount(card.id);
  for (let place = 0; place < cardLimits.clearingsMax; place++) {
    const state = await ports.ledger.read(accountId);
    // What was never active has never had anything, and nobody can send it anything.
    if (state.version === 0 && card.activated_at === null) return null;
    if (state.balance > state.held) {
      const isCleared = await clear(ports, card, state, deadlineMs);
      if (!isCleared) return new Date(ports.nowMs() + cardLimits.settleAfterMs);
    } else if (state.held > 0) {
      return whileHeld(ports.nowMs(), state.dueAtMs ?? 0);
    } else if (!state.frozen) {
      const command = { kind: 'freeze', reason: 'The card is at its end.', programId: card.program_id } as const;
      await post(ports, card, `frozen ${state.version}`, command, deadlineMs);
    } else {
      return afterwards(card, ports.nowMs());
    }
  }
  return new Date(ports.nowMs() + cardLimits.settleAgainMs);
}

/** When the next hold is over; sooner, too, since holds are released and captured before. */
function whileHeld(nowMs: number, dueAtMs: number): Date {
  const { settleAgainMs, settleHeldMs } = cardLimits;
  return new Date(Math.min(Math.max(nowMs, dueAtMs) + settleAgainMs, nowMs + settleHeldMs));
}

/** L3. By when this look was due, not by when it came about: however late it is, there is another one. */
function afterwards({ status, expires_at, deactivated_at, settle_at }: CardRow, nowMs: number): Date | null {
  const endedAt = status === 'expired' ? expires_at : deactivated_at;
  if (endedAt === null) throw new Error('a card at its end has ended once');
  const endedMs = endedAt.getTime();
  if (settle_at !== null && settle_at.getTime() - endedMs >= cardLimits.comesBackMs) return null;
  return new Date(nowMs + Math.max(nowMs - endedMs, cardLimits.settleAfterMs));
}

/** false: its heir is blocked, and is waited for. */
async function clear(ports: RestPorts, card: CardRow, state: AccountState, deadlineMs: number): Promise<boolean> {
  const { program_id: programId } = card;
  const { version } = state;
  if (card.status === 'expired') {
    await post(ports, card, `expire ${version}`, { kind: 'clear', as: { kind: 'expire' }, programId }, deadlineMs);
    return true;
  }
  const heir = await heirOf(ports, card);
  if (heir !== null) {
    const { frozen } = await ports.ledger.read(giftcardAccount(heir.id));
    return !frozen && (await follow(ports, card, heir, state, deadlineMs)).type === 'posted';
  }
  const as = { kind: 'adjust', reason: 'The card was deactivated.' } as const;
  await post(ports, card, `clear_balance ${version}`, { kind: 'clear', as, programId }, deadlineMs);
  return true;
}

/** The card that replaces it at last; null: none, or that one is at its end, too. */
async function heirOf({ rows }: RestPorts, card: CardRow): Promise<CardRow | null> {
  let heir: CardRow = card;
  for (let place = 0; place < cardLimits.replacementsMax && heir.replaced_by !== null; place++) {
    const next = await rows.submit(heir.replaced_by);
    if (next === null) throw new Error('a card that replaces another is there');
    heir = next;
  }
  return heir.status === 'active' && heir.replaced_by === null ? heir : null;
}

async function follow(
  ports: RestPorts,
  card: CardRow,
  heir: CardRow,
  state: AccountState,
  deadlineMs: number,
): Promise<Receipt> {
  return ports.ledger.desk.transfer({
    ...(await orderOf(ports, card, `follow ${state.version}`)),
    to: giftcardAccount(heir.id),
    amount: null,
    evenFrozen: true,
    deadlineMs,
  });
}

async function post(
  ports: RestPorts,
  card: CardRow,
  step: string,
  command: Command,
  deadlineMs: number,
): Promise<Receipt> {
  return ports.ledger.desk.post({ ...(await orderOf(ports, card, step)), command, deadlineMs });
}

async function orderOf({ accounts, nowMs }: RestPorts, card: CardRow, step: string) {
  const terms = await accounts.find(giftcardAccount(card.id));
  if (terms === null) throw new Error('a card is an account');
  const requestId = uuidV7<RequestId>(nowMs());
  return { terms, key: deskKey(keyModule, card.id, step), requestId, traceparent: null };
}
