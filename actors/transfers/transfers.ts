/**
 * Transfers between two accounts, whoever serialises them: in one batch where one lane has both; else in two steps with
 * the points in the program's transit account between them, which finish or come back, whatever dies in between.
 *
 *     departure ──committed, an open row with it──→ arrival ──posted──→ close
 *                                                      └──refused──→ return ──posted──→ close
 *
 * T1, T2: steps.ts.
 * T3 The open row is written by the statement that writes the departure: whoever dies, the sweep finds it.
 * T4 Points come back only after a stored refusal of the arrival, which therefore never happens any more.
 * T5 The row is closed only after arrival or return is known to be committed. Closing twice, or of nothing, does no harm.
 * T6 The client is told the end: posted after the arrival, refused after the return. While neither is known: `unavailable`,
 *    and the same key goes on from where it stands.
 * T7 It keeps nothing: every call can be another process's, and the same one twice.
 *
 * Must not know: where accounts are, SQL, the wire.
 */
import type { AccountId } from '@local-plus/contracts';
import type { Clock, Log, PostedRow, RefusedRow, Timer } from '../ports.ts';
import type { AccountRequest, Outcome, Posted } from '../runtime/outcome.ts';
import { type TransferLimits, transferLimits } from './limits.ts';
import { arrivalOf, canBeWhole, departureOf, isDeparture, returnOf, type TransferRequest, wholeOf } from './steps.ts';

export interface TransferPorts {
  /** To whoever serialises the request's account. */
  readonly submit: (request: AccountRequest) => Promise<Outcome>;
  /** Whether one lane has both accounts, as far as is known; it may be wrong at any time. */
  readonly sameOwner: (a: AccountId, b: AccountId) => boolean;
  /** Forgets that a departure is open; may reject. */
  readonly close: (departure: PostedRow) => Promise<void>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timer: Timer;
  readonly log: Log;
  readonly limits?: TransferLimits;
}

/** Plain numbers, read when scraped. */
export class TransferCounters {
  /** Transfers across lanes that reached the other account, and those that came back: by this process. */
  arrived = 0;
  returned = 0;
  /** Clients who were told `unavailable` while their transfer was open. */
  leftOpen = 0;
  /** Rows that could not be closed: the sweep closes them. */
  closeFailures = 0;
}

/** Where a departure stands after a try. `open`: by which answer to which step; the next try goes on. */
export type Settled =
  | { readonly type: 'arrived' }
  | { readonly type: 'returned'; readonly refusal: RefusedRow }
  | { readonly type: 'open'; readonly step: 'arrival' | 'return'; readonly outcome: Outcome['type'] };

/** Answers to a step that asking again does not change soon: faults of ours, or of the tables. */
const faults: ReadonlySet<Outcome['type']> = new Set<Outcome['type']>(['failed', 'key_reused', 'refused']);

export class Transfers {
  readonly #ports: TransferPorts;
  readonly #limits: TransferLimits;
  readonly counters = new TransferCounters();
  #stopped = false;

  constructor(ports: TransferPorts) {
    this.#ports = ports;
    this.#limits = ports.limits ?? transferLimits;
  }

  /** From here on clients are not made to wait for another try. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * @returns as {@link Outcome} says; `posted` has the outgoing transaction; `refused` the refusal of either account,
   * with the points where they were.
   */
  async transfer(request: TransferRequest): Promise<Outcome> {
    const { submit, sameOwner } = this.#ports;
    const isWhole = canBeWhole(request) && sameOwner(request.facts.accountId, request.to);
    const outcome = await submit(isWhole ? wholeOf(request) : departureOf(request));
    // A replay says in which form it was decided; that may be the other one, and also where something is asked instead.
    if (outcome.type !== 'posted' || !isDeparture(outcome.row)) return outcome;
    const settled = await this.#finish(outcome, request.deadlineMs);
    switch (settled.type) {
      case 'arrived':
        return { ...outcome, also: [] };
      case 'returned':
        return { type: 'refused', row: settled.refusal, replayed: outcome.replayed };
      case 'open':
        this.counters.leftOpen++;
        return { type: 'unavailable' };
    }
  }

  /** One try to bring a departure to its end; does not close it. */
  async settle(departure: Posted, deadlineMs: number): Promise<Settled> {
    const { submit } = this.#ports;
    const arrival = await submit(arrivalOf(departure, deadlineMs));
    if (arrival.type === 'posted') {
      if (!arrival.replayed) this.counters.arrived++;
      return { type: 'arrived' };
    }
    if (arrival.type !== 'refused') return this.#left(departure, 'arrival', arrival.type);
    const back = await submit(returnOf(departure, deadlineMs));
    if (back.type !== 'posted') return this.#left(departure, 'return', back.type);
    if (!back.replayed) this.counters.returned++;
    return { type: 'returned', refusal: arrival.row };
  }

  /** Tries until it is settled, or the client's time is over. */
  async #finish(departure: Posted, deadlineMs: number): Promise<Settled> {
    const { clock, timer } = this.#ports;
    for (let pauseMs = this.#limits.retryMs; ; pauseMs = Math.min(pauseMs * 2, this.#limits.retryMsMax)) {
      const settled = await this.settle(departure, deadlineMs);
      if (settled.type !== 'open') {
        this.#close(departure.row);
        return settled;
      }
      const isLate = clock.monotonicMs() + pauseMs >= deadlineMs;
      if (isLate || this.#stopped || faults.has(settled.outcome)) return settled;
      await new Promise<void>((resolve) => timer.after(pauseMs, resolve));
    }
  }

  /** Nobody waits for it. */
  #close(departure: PostedRow): void {
    this.#ports.close(departure).catch((cause: unknown) => {
      this.counters.closeFailures++;
      this.#ports.log.warn('an open transfer could not be closed', { cause: String(cause) });
    });
  }

  #left({ row }: Posted, step: 'arrival' | 'return', outcome: Outcome['type']): Settled {
    if (faults.has(outcome)) {
      const { accountId } = row.facts;
      this.#ports.log.error('a transfer cannot go on', { accountId, version: row.posting.version, step, outcome });
    }
    return { type: 'open', step, outcome };
  }
}
