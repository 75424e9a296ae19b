/**
 * The movements of payments and refunds, as orders at the ledger's desk. Each has a key made of its row, so that it happens
 * once, whoever orders it, and however often.
 *
 *     hold-<place>   capture-<place>   release-<place>   undo-<place>-<try>       of a payment
 *     back-<place>                                                               of a refund
 */
import type { Command, Original } from '@local-plus/actors';
import { limits as wire } from '@local-plus/contracts';
import { type AccountTerms, type Desk, deskKey, type Receipt } from '../ledger/index.ts';
import type { Source } from './domain.ts';
import { paymentLimits } from './limits.ts';
import type { Admission, Sources } from './ports.ts';
import type { PaymentRow } from './store.ts';

const MODULE = 'payments';

/** What causes a movement: the payment, or its refund. */
type Cause = Pick<PaymentRow, 'id' | 'request_id' | 'traceparent'>;

export class Movements {
  readonly #desk: Desk;
  readonly #sources: Sources;

  constructor(desk: Desk, sources: Sources) {
    this.#desk = desk;
    this.#sources = sources;
  }

  /** Of every source; each is posted or refused for ever when this resolves. */
  hold(payment: PaymentRow, deadlineMs: number): Promise<readonly Receipt[]> {
    const openSeconds = payment.expires_at === null ? paymentLimits.holdingSeconds : wire.paymentSecondsMax;
    const expiresInS = openSeconds + paymentLimits.holdGraceSeconds;
    return ofEach(payment.sources, (source, place) =>
      this.#order(payment, payment, source, `hold-${place}`, deadlineMs, 'hold', ({ programId }) => {
        return { kind: 'hold', amount: source.points, expiresInS, programId };
      }),
    );
  }

  /** What is held, of every source. It was promised: accounts that were frozen since give it, too. */
  capture(payment: PaymentRow, deadlineMs: number): Promise<readonly Receipt[]> {
    return ofEach(payment.sources, (source, place) => this.captureOne(payment, source, place, deadlineMs));
  }

  /** Again, to have what the reversal of a capture has to know. */
  captureOne(payment: PaymentRow, source: Source, place: number, deadlineMs: number): Promise<Receipt> {
    const { hold } = source;
    if (hold === null) throw new TypeError('what is captured is held');
    return this.#order(payment, payment, source, `capture-${place}`, deadlineMs, null, ({ programId }) => {
      return { kind: 'capture', hold: hold.version, amount: null, final: true, promised: true, programId };
    });
  }

  release(payment: PaymentRow, source: Source, place: number, deadlineMs: number): Promise<Receipt> {
    const { hold } = source;
    if (hold === null) throw new TypeError('what is released is held');
    return this.#order(payment, payment, source, `release-${place}`, deadlineMs, null, ({ programId }) => {
      return { kind: 'release', hold: hold.version, programId };
    });
  }

  /** Reverses a capture wholly, because another source's was refused. */
  async undo(payment: PaymentRow, source: Source, place: number, deadlineMs: number): Promise<Receipt> {
    const original = await this.#original(payment, source, place, deadlineMs);
    const step = `undo-${place}-${source.undoTries}`;
    return this.#order(payment, payment, source, step, deadlineMs, null, reversal(original, null, null));
  }

  /** Reverses a part of a capture, for a refund. */
  async giveBack(
    payment: PaymentRow,
    refund: Cause & { readonly reason: string | null },
    part: { readonly source: number; readonly points: number },
    deadlineMs: number,
  ): Promise<Receipt> {
    const source = payment.sources[part.source] as Source;
    const original = await this.#original(payment, source, part.source, deadlineMs);
    const command = reversal(original, part.points, refund.reason);
    return this.#order(payment, refund, source, `back-${part.source}`, deadlineMs, 'refund', command);
  }

  async #original(payment: PaymentRow, source: Source, place: number, deadlineMs: number): Promise<Original> {
    const receipt = await this.captureOne(payment, source, place, deadlineMs);
    if (receipt.type !== 'posted') throw new Error('a payment has a capture that the ledger has refused');
    return receipt.transaction.original;
  }

  async #order(
    payment: PaymentRow,
    cause: Cause,
    source: Source,
    step: string,
    deadlineMs: number,
    activity: Parameters<Sources['admit']>[2] | null,
    command: (terms: AccountTerms) => Command,
  ): Promise<Receipt> {
    const admitted =
      activity === null
        ? await this.#asIs(source, command)
        : await this.#sources.admit(source.type, source.id, activity, command);
    if (admitted === null) throw new Error('a source of a payment is not there any more');
    return this.#desk.post({
      ...admitted,
      key: deskKey(MODULE, cause.id, step),
      requestId: cause.request_id,
      traceparent: cause.traceparent,
      note: {
        ...(payment.reference === null ? {} : { reference: payment.reference }),
        metadata: { payment_id: payment.id },
      },
      deadlineMs,
    });
  }

  /** What was promised, and what undoes it, is not up to the source's state any more. */
  async #asIs(source: Source, command: (terms: AccountTerms) => Command): Promise<Admission | null> {
    const found = await this.#sources.find(source.type, source.id);
    return found === null ? null : { terms: found.terms, command: command(found.terms) };
  }
}

function reversal(original: Original, amount: number | null, reason: string | null) {
  return ({ programId, rules }: AccountTerms): Command => {
    return { kind: 'reverse', original, amount, reason, policy: rules.reversalPolicy, programId };
  };
}

/** All at a time; settles when all have, and then rejects if one did: nothing is left under way. */
export async function ofEach<Item, Result>(
  items: readonly Item[],
  run: (item: Item, index: number) => Promise<Result>,
): Promise<readonly Result[]> {
  const ends = await Promise.allSettled(items.map(async (item, index) => run(item, index)));
  return ends.map((end) => {
    if (end.status === 'rejected') throw end.reason;
    return end.value;
  });
}
