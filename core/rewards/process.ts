/**
 * The process manager of redemptions: brings one from wherever it stands to where it rests (domain.ts, R1 – R3).
 *
 * - M1 it keeps nothing: each call can be another process's, and the same one twice. What was done is found again by its key, and
 *   of two that bring the row on, its status lets one.
 * - M2 what it cannot find out now it leaves as it is, and throws: the sweep finds the row.
 */
import type { Command, Log } from '@local-plus/actors';
import {
  type AccountId,
  type GiftcardId,
  type MerchantId,
  problem,
  problemTable,
  type RequestId,
  topics,
  type rewards as wire,
} from '@local-plus/contracts';
import { type AccountTerms, type Desk, deskKey, type Receipt } from '../ledger/index.ts';
import { newEvent } from '../outbox/index.ts';
import { ProblemError } from '../platform/http/index.ts';
import { after, type Happening, isAtRest, type Status } from './domain.ts';
import { rewardLimits } from './limits.ts';
import type { Move, RedemptionRow, RedemptionStore } from './redemptions-store.ts';

/** A gift card as a reward: issued once for its id, however often this is asked. */
export interface CardOrder {
  readonly cardId: GiftcardId;
  readonly merchantId: MerchantId;
  readonly gives: Extract<wire.Gives, { type: 'gift_card' }>;
  readonly requestId: RequestId;
}

export interface ProcessPorts {
  readonly store: Pick<RedemptionStore, 'move' | 'find' | 'pause'>;
  readonly desk: Pick<Desk, 'post'>;
  readonly accounts: { find(accountId: AccountId): AccountTerms | null | Promise<AccountTerms | null> };
  /**
   * The card's code, the first time; null ever after. Throws a `ProblemError`: one that is not retryable is a refusal, and will
   * be one next time.
   */
  readonly issueCard: (order: CardOrder) => Promise<string | null>;
  readonly nowMs: () => number;
  readonly log: Log;
}

export interface Settled {
  readonly row: RedemptionRow;
  /** Of a gift card that was given its code just now. */
  readonly giftcardCode: string | null;
}

type Step = (row: RedemptionRow, deadlineMs: number) => Promise<Settled>;

export class RedemptionProcess {
  readonly #ports: ProcessPorts;
  readonly #steps: Readonly<Record<Status, Step | null>> = {
    pending: (row, deadlineMs) => this.#takePoints(row, deadlineMs),
    burned: (row) => this.#issueCard(row),
    returning: (row, deadlineMs) => this.#return(row, deadlineMs),
    cancelling: (row, deadlineMs) => this.#cancel(row, deadlineMs),
    completed: null,
    refused: null,
    cancelled: null,
  };

  constructor(ports: ProcessPorts) {
    this.#ports = ports;
  }

  /**
   * Until it rests. Throws a `ProblemError` while it cannot be said what became of a step: then it is settled later.
   *
   * @param deadlineMs on the clock of `performance.now()`
   */
  async settle(row: RedemptionRow, deadlineMs: number): Promise<Settled> {
    let now: Settled = { row, giftcardCode: null };
    for (let turn = 0; turn < rewardLimits.stepsMax; turn++) {
      const step = this.#steps[now.row.status];
      if (step === null) return now;
      const { row: next, giftcardCode } = await step(now.row, deadlineMs);
      now = { row: next, giftcardCode: giftcardCode ?? now.giftcardCode };
    }
    throw new Error('a redemption goes around in its states');
  }

  async #takePoints(row: RedemptionRow, deadlineMs: number): Promise<Settled> {
    const receipt = await this.#burn(row, deadlineMs);
    if (receipt.type === 'refused') return this.#move(row, 'not_taken', { refusal: receipt.problem });
    const happening = row.gives.type === 'gift_card' ? 'taken_for_card' : 'taken';
    return this.#move(row, happening, { transactionId: receipt.transaction.id });
  }

  async #issueCard(row: RedemptionRow): Promise<Settled> {
    const { giftcard_id: cardId, gives, merchant_id: merchantId, correlation_id: requestId } = row;
    if (cardId === null || gives.type !== 'gift_card') throw new Error('only a gift card is issued');
    try {
      const giftcardCode = await this.#ports.issueCard({ cardId, merchantId, gives, requestId });
      return { ...(await this.#move(row, 'issued')), giftcardCode };
    } catch (error) {
      if (!(error instanceof ProblemError) || problemTable[error.code].retryable) throw error;
      return this.#move(row, 'not_issued', { refusal: problem(error.code, requestId, error.detail) });
    }
  }

  /** A refusal is one for ever under its key, and the points are the wallet's: so the next attempt has a key of its own. */
  async #return(row: RedemptionRow, deadlineMs: number): Promise<Settled> {
    if (row.is_paused) throw new ProblemError('unavailable');
    const { id, return_tries: tries } = row;
    const receipt = await this.#givePointsBack(row, tries === 0 ? 'return' : `return-${tries}`, deadlineMs);
    if (receipt.type === 'posted') return this.#move(row, 'given_back');
    const { log, store } = this.#ports;
    log.error('the points of a redemption cannot be given back yet', { redemption: id, code: receipt.code, tries });
    await store.pause(row, Math.min(rewardLimits.returnPauseSeconds * 2 ** tries, rewardLimits.returnPauseSecondsMax));
    throw new ProblemError('unavailable');
  }

  async #cancel(row: RedemptionRow, deadlineMs: number): Promise<Settled> {
    const receipt = await this.#givePointsBack(row, `cancel-${row.cancels}`, deadlineMs);
    if (receipt.type === 'posted') return this.#move(row, 'given_back');
    return this.#move(row, 'not_given_back', { cancelRefusal: receipt.problem });
  }

  async #givePointsBack(row: RedemptionRow, step: string, deadlineMs: number): Promise<Receipt> {
    // Its outcome is known, and its key has it: asked again it tells what has to be undone.
    const burned = await this.#burn(row, deadlineMs);
    if (burned.type === 'refused') throw new Error('what was completed was burned');
    const { original } = burned.transaction;
    return this.#order(row, step, deadlineMs, ({ programId, rules }) => {
      return { kind: 'reverse', programId, original, amount: null, reason: null, policy: rules.reversalPolicy };
    });
  }

  #burn(row: RedemptionRow, deadlineMs: number): Promise<Receipt> {
    return this.#order(row, 'burn', deadlineMs, ({ programId }) => ({ kind: 'burn', amount: row.points, programId }));
  }

  async #order(
    row: RedemptionRow,
    step: string,
    deadlineMs: number,
    commandOf: (terms: AccountTerms) => Command,
  ): Promise<Receipt> {
    const { id, wallet_id, correlation_id: requestId, traceparent } = row;
    const terms = await this.#ports.accounts.find(wallet_id);
    if (terms === null) throw new Error('a redemption is of a wallet that is there');
    const key = deskKey('rewards', id, step);
    const note = { reference: `reward ${row.reward_id}` };
    return this.#ports.desk.post({ terms, command: commandOf(terms), key, requestId, traceparent, note, deadlineMs });
  }

  async #move(
    row: RedemptionRow,
    happening: Happening,
    with_: Pick<Move, 'transactionId' | 'refusal' | 'cancelRefusal'> = {},
  ): Promise<Settled> {
    const to = after(row.status, happening);
    const event = this.#eventOf({ ...row, transaction_id: with_.transactionId ?? row.transaction_id }, to);
    const moved = await this.#ports.store.move(row, { to, event, ...with_ });
    const now = moved ?? (await this.#ports.store.find(row.id));
    if (now === null) throw new Error('a redemption is gone');
    return { row: now, giftcardCode: null };
  }

  /** null: nobody has to know. */
  #eventOf(row: RedemptionRow, to: Status): string | null {
    const isCancelled = to === 'cancelled';
    const isNews = isCancelled || (to === 'completed' && !isAtRest[row.status] && row.status !== 'cancelling');
    if (!isNews) return null;
    const { id, reward_id, program_id, wallet_id, points, transaction_id, giftcard_id, gives } = row;
    const data: wire.RedemptionTold = {
      redemption_id: id,
      reward_id,
      program_id,
      wallet_id,
      points,
      transaction_id,
      giftcard_id,
      type: gives.type,
    };
    return newEvent(
      {
        topic: topics.loyaltyRewardRedeemed,
        aggregateType: 'redemption',
        aggregateId: id,
        type: isCancelled ? 'loyalty.reward.cancelled' : 'loyalty.reward.redeemed',
        schemaVersion: 1,
        requestId: row.correlation_id,
        traceparent: row.traceparent,
        data,
      },
      this.#ports.nowMs(),
    );
  }
}
