/**
 * The process manager of refunds: gives back every part of one that is pending, and ends it with what came of each.
 *
 * - B1 its parts were fixed, and counted in the payment, when it was created: however many are under way, they give back no
 *   more than was taken.
 * - B2 each part is a reversal under a key of its own: it happens once, whoever orders it.
 * - B3 what a source refuses to take back, for ever, is taken off the payment's count again by the statement that ends the
 *   refund: it can be asked for anew.
 */
import type { Log } from '@local-plus/actors';
import { attempts } from '../platform/http/index.ts';
import { countedIn } from './domain.ts';
import { refundEvent } from './events.ts';
import { paymentLimits } from './limits.ts';
import { type Movements, ofEach } from './movements.ts';
import type { RefundRow, RefundStore, StoredPart } from './refunds-store.ts';
import type { PaymentRow, PaymentStore } from './store.ts';

export interface RefundPorts {
  readonly payments: Pick<PaymentStore, 'one'>;
  readonly refunds: RefundStore;
  readonly movements: Movements;
  readonly nowMs: () => number;
  readonly log: Log;
}

export class RefundProcess {
  readonly #ports: RefundPorts;

  constructor(ports: RefundPorts) {
    this.#ports = ports;
  }

  /**
   * Until it is at its end. Throws a `ProblemError` while the ledger cannot say what became of a part.
   *
   * @param deadlineMs on the clock of `performance.now()`
   */
  async settle(refund: RefundRow, deadlineMs: number): Promise<RefundRow> {
    if (refund.status !== 'pending') return refund;
    const payment = await this.#payment(refund);
    const parts = await ofEach(refund.parts, (part) => this.#giveBack(payment, refund, part, deadlineMs));
    return this.#end(payment, refund, parts);
  }

  async #giveBack(payment: PaymentRow, refund: RefundRow, part: StoredPart, deadlineMs: number): Promise<StoredPart> {
    // Less than a point: the next part of this source has it.
    if (part.points === 0) return part;
    const receipt = await this.#ports.movements.giveBack(payment, refund, part, deadlineMs);
    if (receipt.type === 'posted') return { ...part, transactionId: receipt.transaction.id };
    this.#ports.log.warn('a part of a refund was refused', { refund: refund.id, code: receipt.code });
    return { ...part, refusal: receipt.code };
  }

  async #end(first: PaymentRow, refund: RefundRow, parts: readonly StoredPart[]): Promise<RefundRow> {
    const { refunds, nowMs } = this.#ports;
    const refused = parts.filter((part) => part.refusal !== null);
    const takenOff = refused.reduce((sum, part) => sum + part.amount, 0);
    const status = refused.length === 0 ? 'succeeded' : refused.length === parts.length ? 'failed' : 'partial';
    const ended = { ...refund, status, parts } as const;
    let payment = first;
    return attempts(paymentLimits.triesMax, Number.POSITIVE_INFINITY, async () => {
      const sources = countedIn(payment.sources, refused, -1);
      const after = { ...payment, sources, refunded_amount: payment.refunded_amount - takenOff };
      const row = await refunds.end(payment, sources, takenOff, ended, refundEvent(after, ended, nowMs()));
      if (row !== null) return row;
      const current = await refunds.one(refund.id);
      if (current !== null && current.status !== 'pending') return current;
      payment = await this.#payment(refund);
      return null;
    });
  }

  async #payment(refund: RefundRow): Promise<PaymentRow> {
    const payment = await this.#ports.payments.one(refund.payment_id);
    if (payment === null) throw new Error('a refund is of a payment that is not there');
    return payment;
  }
}
