/**
 * Brings an activity that was begun to its end: what it posts, and how it ends.
 *
 *     begun (row `open`) → posted, step by step, each under a key of the row's id → ended (row, card and event in one statement)
 *
 * - D1 every step can be done again by anybody: its key has its outcome already, or has it now. So whoever dies anywhere, and
 *   however many go on, each step happens once.
 * - D2 the outcome of a step decides what follows, never what this process remembers.
 * - D3 an end is written once, and only for what is open; who comes second is told how it ended.
 * - D4 a step whose outcome is not known throws: the activity stays open, and the sweep comes back to it.
 */
import type { Command } from '@local-plus/actors';
import {
  type GiftcardActivityKind,
  giftcardAccount,
  type Problem,
  type ProblemCode,
  problem,
  uuidV7,
} from '@local-plus/contracts';
import { type AccountTerms, type DeskTransaction, deskKey, type Receipt } from '../../ledger/index.ts';
import type { Batcher } from '../../platform/batching/index.ts';
import type { ActivityRow, Ending } from './activities-store.ts';
import type { CardRow, CardStatus } from './domain.ts';
import { cardLimits } from './limits.ts';
import type { CardPorts } from './ports.ts';
import { activityEvent, keyModule } from './wire.ts';

export interface SettlementPorts extends Pick<CardPorts, 'accounts' | 'catalog' | 'nowMs'> {
  readonly ledger: Pick<CardPorts['ledger'], 'desk'>;
  readonly rows: Batcher<CardRow['id'], CardRow | null>;
  /** Ends activities: many callers, one statement. The end, and the event that it makes true. */
  readonly ends: Batcher<PlannedEnd, ActivityRow>;
}

export interface PlannedEnd {
  readonly ending: Ending;
  readonly event: ReturnType<typeof activityEvent> | null;
}

interface Work {
  readonly activity: ActivityRow;
  readonly card: CardRow;
  readonly terms: AccountTerms;
  /** On the clock of `performance.now()`. */
  readonly deadlineMs: number;
}

type End =
  | { readonly type: 'refused'; readonly problem: Problem; readonly cardStatus?: CardStatus }
  | {
      readonly type: 'done';
      /** Where one transaction is what was done, the ledger tells of it. */
      readonly transaction?: DeskTransaction;
      /** What it brought, where that is told otherwise. */
      readonly brought?: number;
      readonly cardStatus?: CardStatus;
      readonly activates?: boolean;
    };

type OpenKind = 'issue' | 'import' | 'activate' | 'unblock' | 'deactivate' | 'replace';

export class Settlement {
  readonly #ports: SettlementPorts;
  readonly #steps: Readonly<Record<OpenKind, (work: Work) => Promise<End>>> = {
    issue: (work) => this.#issue(work),
    import: (work) => this.#activate(work, 'import'),
    activate: (work) => this.#activate(work, 'activate'),
    unblock: (work) => this.#unblock(work),
    deactivate: (work) => this.#deactivate(work),
    replace: (work) => this.#replace(work),
  };

  constructor(ports: SettlementPorts) {
    this.#ports = ports;
  }

  /** The activity at its end. Throws a `ProblemError` or `DatabaseUnavailable` while that is not known (D4). */
  async settle(activity: ActivityRow, deadlineMs: number): Promise<ActivityRow> {
    if (activity.status !== 'open') return activity;
    const { rows, accounts, ends } = this.#ports;
    const [card, terms] = await Promise.all([
      rows.submit(activity.card_id),
      accounts.find(giftcardAccount(activity.card_id)),
    ]);
    if (card === null || terms === null) throw new Error('an activity has its card');
    const work = { activity, card, terms, deadlineMs };
    const end = await this.#steps[activity.activity as OpenKind](work);
    return ends.submit(planned(work, end, this.#ports.nowMs()));
  }

  async #issue(work: Work): Promise<End> {
    const { activity, card } = work;
    const code = await this.#take(work);
    if (code !== null) {
      return { type: 'refused', problem: problem(code, activity.request_id), cardStatus: 'deactivated' };
    }
    if (!activity.activates) return { type: 'done' };
    const end = await this.#activate(work, 'activate');
    // The issue is no transaction, and it is done whatever became of the activation.
    if (end.type === 'refused') return { type: 'done' };
    return { type: 'done', cardStatus: 'active', brought: card.initial_amount, activates: card.initial_amount === 0 };
  }

  /** Out of the stock of its catalog item. null: it is there, or needs none. */
  async #take({ activity, card }: Work): Promise<ProblemCode | null> {
    if (card.catalog_item_id === null) return null;
    const cause = { requestId: activity.request_id, traceparent: activity.traceparent };
    const key = deskKey(keyModule, card.id, 'issue');
    const taken = await this.#ports.catalog.take(card.catalog_item_id, 1, key, cause);
    switch (taken.type) {
      case 'taken':
        return null;
      case 'refused':
        return taken.reason === 'out_of_stock' ? 'out_of_stock' : 'giftcard_not_offered';
      case 'key_reused':
        throw new Error('a card takes one of its item');
    }
  }

  async #activate(work: Work, step: 'activate' | 'import'): Promise<End> {
    const { initial_amount: amount, program_id: programId } = work.card;
    if (amount === 0) return { type: 'done', cardStatus: 'active' };
    const receipt = await this.#post(work, step, { kind: 'load', amount, programId });
    if (receipt.type === 'refused') return receipt;
    return { type: 'done', cardStatus: 'active', transaction: receipt.transaction };
  }

  async #unblock(work: Work): Promise<End> {
    const { activity, terms } = work;
    const reason = activity.reason ?? '';
    const receipt = await this.#post(work, 'unblock', { kind: 'unfreeze', reason, programId: terms.programId });
    return receipt.type === 'refused' ? receipt : { type: 'done', transaction: receipt.transaction };
  }

  async #deactivate(work: Work): Promise<End> {
    const { activity, terms } = work;
    const { programId } = terms;
    const reason = activity.reason ?? '';
    await this.#freeze(work);
    for (let place = 0; place < cardLimits.clearingsMax; place++) {
      const command = { kind: 'clear', as: { kind: 'adjust', reason }, programId } as const;
      const receipt = await this.#post(work, `clear_balance ${place}`, command);
      if (receipt.type === 'refused') break;
    }
    return { type: 'done', cardStatus: 'deactivated' };
  }

  /** The lost card is frozen first: from there on nobody else takes anything out of it. What is held follows when it is free. */
  async #replace(work: Work): Promise<End> {
    const { activity, terms, deadlineMs } = work;
    if (activity.related_card_id === null) throw new Error('a replacement says which card replaces');
    const to = giftcardAccount(activity.related_card_id);
    await this.#freeze(work);
    let brought = 0;
    for (let place = 0; place < cardLimits.clearingsMax; place++) {
      const receipt = await this.#ports.ledger.desk.transfer({
        ...this.#orderOf(work, `transfer_out ${place}`),
        terms,
        to,
        amount: null,
        evenFrozen: true,
        deadlineMs,
      });
      if (receipt.type === 'refused') break;
      brought += receipt.transaction.amount;
    }
    return { type: 'done', cardStatus: 'deactivated', brought };
  }

  /** It may be frozen already: that is as good, since nothing unfreezes it while this is under way. */
  async #freeze(work: Work): Promise<void> {
    const reason = work.activity.reason ?? '';
    await this.#post(work, 'block', { kind: 'freeze', reason, programId: work.terms.programId });
  }

  #post(work: Work, step: string, command: Command): Promise<Receipt> {
    const { terms, deadlineMs } = work;
    return this.#ports.ledger.desk.post({ ...this.#orderOf(work, step), terms, command, deadlineMs });
  }

  #orderOf({ activity }: Work, step: string) {
    const { id, request_id: requestId, traceparent } = activity;
    return { key: deskKey(keyModule, id, step), requestId, traceparent };
  }
}

/** What is written, and said, of an end. An activation that the ledger tells, and what was refused, is not announced. */
function planned({ activity, card }: Work, end: End, nowMs: number): PlannedEnd {
  const ending: Ending = { ...endingOf(activity, end, nowMs), settle_at: settleAtOf(end, nowMs) };
  if (end.type === 'refused' && end.cardStatus === undefined) return { ending, event: null };
  const kind = announcedAs(activity, end);
  if (kind === null) return { ending, event: null };
  const cause = { requestId: activity.request_id, traceparent: activity.traceparent };
  return { ending, event: activityEvent(card, kind, { id: activity.id, related: activity.related_card_id }, cause) };
}

function announcedAs({ activity }: ActivityRow, end: End): GiftcardActivityKind | null {
  if (end.type === 'refused') return 'deactivate';
  // What is issued, or imported, was announced when it began.
  if (activity === 'issue' || activity === 'import') return end.cardStatus === 'active' ? 'activate' : null;
  return activity === 'unblock' ? null : activity;
}

function endingOf({ id, card_id, related_card_id }: ActivityRow, end: End, nowMs: number): Omit<Ending, 'settle_at'> {
  const card_status = end.cardStatus ?? null;
  const nothing = { transaction_id: null, amount: 0, balance_after: null, held_after: null, activation_id: null };
  if (end.type === 'refused') {
    const problemText = JSON.stringify(end.problem);
    return { ...nothing, id, card_id, card_status, status: 'refused', problem: problemText, related_card_id: null };
  }
  const { transaction, brought = null, activates = false } = end;
  return {
    id,
    card_id,
    card_status,
    status: 'done',
    problem: null,
    transaction_id: transaction?.id ?? null,
    amount: transaction?.amount ?? 0,
    balance_after: transaction?.balanceAfter ?? brought,
    held_after: transaction?.heldAfter ?? (brought === null ? null : 0),
    related_card_id,
    activation_id: activates ? uuidV7(nowMs) : null,
  };
}

function settleAtOf({ cardStatus }: End, nowMs: number): Date | null {
  return cardStatus === 'deactivated' ? new Date(nowMs + cardLimits.settleAfterMs) : null;
}
