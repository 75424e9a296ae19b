/**
 * The process manager of payments: brings one from wherever it stands to where it rests.
 *
 *     holding    hold every source ─ all posted → held, or capturing at once ─ one refused, or too late → releasing
 *     held       (rests; over its time → releasing)
 *     capturing  capture every source ─ all posted → captured ─ one refused → releasing
 *     releasing  release, or reverse, whatever was taken → failed, or voided
 *
 * - M1 it keeps nothing: each call can be another process's, and the same one twice. Movements are found again by their keys,
 *   and of two that bring the row on, the row's version lets one.
 * - M2 what it cannot find out now it leaves as it is, and throws: the row is due for the sweep.
 * - M3 it decides by receipts only, which are durable: a refusal is one for ever, trouble is none.
 *
 * P1 – P4: domain.ts.
 */
import type { Log } from '@local-plus/actors';
import type { Receipt } from '../ledger/index.ts';
import { ProblemError } from '../platform/http/index.ts';
import { after, type Failure, type Happening, type Source, type Status } from './domain.ts';
import { eventOf } from './events.ts';
import { paymentLimits } from './limits.ts';
import { type Movements, ofEach } from './movements.ts';
import type { Change, Moment, PaymentRow, PaymentStore } from './store.ts';

export interface ProcessPorts {
  readonly store: PaymentStore;
  readonly movements: Movements;
  readonly nowMs: () => number;
  readonly log: Log;
}

type Step = (row: PaymentRow, deadlineMs: number) => Promise<PaymentRow>;

export class PaymentProcess {
  readonly #ports: ProcessPorts;
  /** null: it rests there. */
  readonly #steps: Readonly<Record<Status, Step | null>> = {
    holding: (row, deadlineMs) => this.#hold(row, deadlineMs),
    held: null,
    capturing: (row, deadlineMs) => this.#capture(row, deadlineMs),
    releasing: (row, deadlineMs) => this.#release(row, deadlineMs),
    captured: null,
    failed: null,
    voided: null,
  };

  constructor(ports: ProcessPorts) {
    this.#ports = ports;
  }

  /**
   * Until it rests. Throws a `ProblemError` while the ledger cannot say what became of a step: then it is settled later.
   *
   * @param deadlineMs on the clock of `performance.now()`
   */
  async settle(row: PaymentRow, deadlineMs: number): Promise<PaymentRow> {
    let current = row;
    for (let turn = 0; turn < paymentLimits.triesMax; turn++) {
      const step = this.#steps[current.status];
      if (step === null) return current;
      current = await step(current, deadlineMs);
    }
    throw new ProblemError('unavailable');
  }

  /** One that is held: captured, if it is not over its time. The row as it is then; it need not have moved. */
  decide(row: PaymentRow, captureKey: string): Promise<PaymentRow> {
    return this.#move(row, 'decided', { captureKey }, 'before_expiry');
  }

  /** One that is held: voided, on request or because its time is over. */
  abandon(row: PaymentRow, voidKey: string | null): Promise<PaymentRow> {
    return voidKey === null
      ? this.#move(row, 'abandoned', {}, 'after_expiry')
      : this.#move(row, 'abandoned', { voidKey }, 'anytime');
  }

  async #hold(row: PaymentRow, deadlineMs: number): Promise<PaymentRow> {
    const receipts = await this.#ports.movements.hold(row, deadlineMs);
    const sources = row.sources.map((source, place): Source => {
      const receipt = receipts[place];
      if (receipt?.type !== 'posted') return source;
      const { id, version } = receipt.transaction;
      return { ...source, hold: { id, version } };
    });
    const failure = refusalOf(receipts);
    if (failure !== null) return this.#move(row, 'refused', { sources, failure }, 'anytime');
    const moved = await this.#move(row, row.capture ? 'decided' : 'held', { sources }, 'while_holding');
    if (moved.row_version !== row.row_version) return moved;
    const late = { code: 'payment_expired', source: null };
    return this.#move(row, 'refused', { sources, failure: late }, 'anytime');
  }

  async #capture(row: PaymentRow, deadlineMs: number): Promise<PaymentRow> {
    const receipts = await this.#ports.movements.capture(row, deadlineMs);
    const sources = row.sources.map((source, place): Source => {
      const receipt = receipts[place];
      return receipt?.type === 'posted' ? { ...source, captureId: receipt.transaction.id } : source;
    });
    const failure = refusalOf(receipts);
    if (failure === null) return this.#move(row, 'captured', { sources }, 'anytime');
    this.#ports.log.error('a capture of a payment was refused', { payment: row.id, ...failure });
    return this.#move(row, 'refused', { sources, failure }, 'anytime');
  }

  async #release(row: PaymentRow, deadlineMs: number): Promise<PaymentRow> {
    const { movements } = this.#ports;
    // Each refusal is a row of the ledger: whoever asks before the next try is due adds none.
    if (!row.is_due && undoTriesOf(row.sources) > 0) throw new ProblemError('unavailable');
    const receipts = await ofEach(row.sources, async (source, place) => {
      if (source.captureId !== null) return movements.undo(row, source, place, deadlineMs);
      if (source.hold === null) return null;
      // A release that is refused finds nothing to release: the hold's own time was over.
      await movements.release(row, source, place, deadlineMs);
      return null;
    });
    const refused = receipts.findIndex((receipt) => receipt?.type === 'refused');
    if (refused === -1) return this.#move(row, row.failure === null ? 'freed' : 'undone', {}, 'anytime');
    const sources = row.sources.map((source, place): Source => {
      return receipts[place]?.type === 'refused' ? { ...source, undoTries: source.undoTries + 1 } : source;
    });
    await this.#undoLater(row, sources, refused);
    throw new ProblemError('unavailable');
  }

  /** After a pause that doubles with each refusal. */
  async #undoLater(row: PaymentRow, sources: readonly Source[], refused: number): Promise<void> {
    const { store, log } = this.#ports;
    log.error('a capture of a payment cannot be undone yet', { payment: row.id, source: refused });
    const { leaseSeconds, undoPauseSecondsMax } = paymentLimits;
    const dueInSeconds = Math.min(leaseSeconds * 2 ** undoTriesOf(sources), undoPauseSecondsMax);
    await store.move(row, { status: row.status, sources, dueInSeconds }, 'anytime', null);
  }

  /** The row after it; as it has become, when another process was faster, or it is not the moment. */
  async #move(
    row: PaymentRow,
    happening: Happening,
    change: Omit<Change, 'status'>,
    moment: Moment,
  ): Promise<PaymentRow> {
    const { store, nowMs } = this.#ports;
    const status = after(row.status, happening);
    const moved = await store.move(row, { ...change, status }, moment, eventOf({ ...row, ...change, status }, nowMs()));
    if (moved !== null) return moved;
    const current = await store.one(row.id);
    if (current === null) throw new Error('a payment is not there any more');
    return current;
  }
}

/** Of the source that was refused most often. */
function undoTriesOf(sources: readonly Source[]): number {
  return Math.max(...sources.map(({ undoTries }) => undoTries));
}

/** The first refusal, in the order of the sources. */
function refusalOf(receipts: readonly Receipt[]): Failure | null {
  const source = receipts.findIndex(({ type }) => type === 'refused');
  const receipt = receipts[source];
  return receipt?.type === 'refused' ? { code: receipt.code, source } : null;
}
