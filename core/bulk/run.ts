/**
 * One bulk request at work: its lines on their way through the ledger, and their outcomes, in order, on their way out.
 *
 *     planned → begun → (waiting for the wallet's line before) → offered → settled → written
 *
 * - R1 at most `linesInFlightMax` lines are begun and not written; nothing is begun that the client does not ask for.
 * - R2 the lines of one wallet are accepted by the ledger in their order: its mailbox keeps them so.
 * - R3 a line past its deadline, or the request's, is not offered; `deadline_exceeded` says that it never was.
 * - R4 once stopped, nothing is offered any more; what was accepted goes on.
 * - R5 every line gets an answer of its own: whatever goes wrong with one does not end the request.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { AccountRequest, Outcome } from '@local-plus/actors';
import type { bulk, ProblemCode } from '@local-plus/contracts';
import { type AnswerSource, ProblemError } from '../platform/http/index.ts';
import { DatabaseUnavailable } from '../platform/postgres/index.ts';
import { faultAnswer, type LineAnswer, lineText, statusOf } from './answers.ts';
import { answerGroup } from './group.ts';
import type { BulkLimits } from './limits.ts';
import type { LineFault, Unit } from './plan.ts';
import type { BulkLedger, LineContext, LinePart } from './ports.ts';

export interface RunPorts {
  readonly ledger: BulkLedger;
  readonly limits: BulkLimits;
  readonly monotonicMs: () => number;
  readonly pause: (ms: number) => Promise<void>;
  /** Each line's status, once. */
  readonly count: (status: number) => void;
  /** A line failed by a fault of ours. */
  readonly failed: (error: unknown) => void;
}

export class BulkRun implements AnswerSource {
  readonly #ports: RunPorts;
  readonly #units: readonly Unit[];
  readonly #context: LineContext;
  /** Of the whole request. */
  readonly #deadlineMs: number;
  /** By unit: its lines of the answer, once it is settled; given up when they are written. */
  readonly #texts: (string | undefined)[] = [];
  /** Per wallet: resolves when the newest line that is begun was accepted, or never will be. */
  readonly #accepted = new Map<string, Promise<void>>();
  #begun = 0;
  #written = 0;
  #linesInFlight = 0;
  #running = 0;
  #isStopped = false;
  /** Something settled that somebody waits for. */
  #wake: (() => void) | null = null;

  constructor(ports: RunPorts, units: readonly Unit[], context: LineContext, deadlineMs: number) {
    this.#ports = ports;
    this.#units = units;
    this.#context = context;
    this.#deadlineMs = deadlineMs;
  }

  async next(): Promise<string | null> {
    this.#begin();
    if (this.#written === this.#units.length) return null;
    while (this.#texts[this.#written] === undefined && !this.#isStopped) await this.#settled();
    // What the same commit settled goes out with it.
    await turn();
    let piece = '';
    while (piece.length < this.#ports.limits.pieceCharsMax) {
      const text = this.#texts[this.#written];
      if (text === undefined) break;
      piece += text;
      this.#texts[this.#written] = undefined;
      this.#linesInFlight -= sizeOf(this.#units[this.#written] as Unit);
      this.#written++;
    }
    this.#begin();
    return piece;
  }

  /** R4. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake?.();
    while (this.#running > 0) await this.#settled();
  }

  #settled(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const earlier = this.#wake;
    this.#wake = () => {
      earlier?.();
      resolve();
    };
    return promise;
  }

  /** R1. */
  #begin(): void {
    while (this.#begun < this.#units.length && !this.#isStopped) {
      const place = this.#begun;
      const unit = this.#units[place] as Unit;
      if (this.#linesInFlight + sizeOf(unit) > this.#ports.limits.linesInFlightMax) return;
      this.#linesInFlight += sizeOf(unit);
      this.#begun++;
      if (unit.type === 'faulty') this.#settle(place, [faultAnswer(unit.fault, this.#context.requestId)]);
      else this.#run(place, unit);
    }
  }

  #run(place: number, unit: Exclude<Unit, { type: 'faulty' }>): void {
    const found = unit.type === 'line' ? this.#partOf(unit.line) : null;
    const isKnown = found !== null && !(found instanceof Promise);
    const offered = isKnown ? this.#runAtOnce(place, found) : 'not offered';
    if (offered === 'begun') return;
    this.#running++;
    const walletId = unit.type === 'line' ? unit.line.wallet_id : (unit.lines[0]?.wallet_id ?? '');
    const before = this.#accepted.get(walletId);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#accepted.set(walletId, promise);
    const accepted = (): void => {
      resolve();
      if (this.#accepted.get(walletId) === promise) this.#accepted.delete(walletId);
    };
    this.#answersOf(unit, { found, offersMade: offered === 'full' ? 1 : 0 }, before, accepted)
      .catch((error: unknown) => this.#answersTo(error, sizeOf(unit)))
      .then((answers) => {
        accepted();
        this.#running--;
        this.#settle(place, answers);
      });
  }

  /**
   * A line that waits for nothing on its way to the ledger, as nearly all do: without a promise, which would cost as much as the
   * rest. Otherwise it has to wait after all, and nothing was done.
   */
  #runAtOnce(place: number, { part, unit }: LinePart): 'begun' | 'full' | 'not offered' {
    const { ledger, limits, monotonicMs } = this.#ports;
    const nowMs = monotonicMs();
    const deadlineMs = Math.min(this.#deadlineMs, nowMs + limits.lineBudgetMs);
    if (nowMs >= deadlineMs || this.#accepted.has(part.facts.accountId)) return 'not offered';
    let isReturned = false;
    let isFull = false;
    this.#running++;
    ledger.post({ ...part, ...this.#asker(deadlineMs) }, (outcome) => {
      isFull = !isReturned && outcome.type === 'overloaded';
      this.#running--;
      if (!isFull) this.#settle(place, [this.#answerOf(outcome, unit)]);
    });
    isReturned = true;
    return isFull ? 'full' : 'begun';
  }

  /** null: it throws, which the long way will, too, where it can be told. */
  #partOf(line: bulk.BulkLine): LinePart | Promise<LinePart> | null {
    try {
      return this.#ports.ledger.partOf(line, this.#context);
    } catch {
      return null;
    }
  }

  #asker(deadlineMs: number): Pick<AccountRequest, 'deadlineMs' | 'tenant'> {
    const { merchantId } = this.#context.context;
    return merchantId === null ? { deadlineMs } : { deadlineMs, tenant: merchantId };
  }

  async #answersOf(
    unit: Exclude<Unit, { type: 'faulty' }>,
    begun: { readonly found: LinePart | Promise<LinePart> | null; readonly offersMade: number },
    before: Promise<void> | undefined,
    accepted: () => void,
  ): Promise<readonly LineAnswer[]> {
    const { ledger, limits, monotonicMs } = this.#ports;
    const deadlineMs = Math.min(this.#deadlineMs, monotonicMs() + limits.lineBudgetMs);
    const lines = unit.type === 'line' ? [unit.line] : unit.lines;
    const parts: LinePart[] = [];
    for (const line of lines) {
      const found = begun.found ?? ledger.partOf(line, this.#context);
      parts.push(found instanceof Promise ? await found : found);
    }
    if (before !== undefined) await before;
    const asker = this.#asker(deadlineMs);
    const offer = (request: Omit<AccountRequest, 'deadlineMs'>) =>
      this.#offer({ ...request, ...asker }, begun.offersMade, accepted);
    if (unit.type === 'group') return answerGroup(ledger, parts, this.#context.requestId, offer);
    const { part, unit: currency } = parts[0] as LinePart;
    return [this.#answerOf(await offer(part), currency)];
  }

  #answerOf(outcome: Outcome, unit: string): LineAnswer {
    const { ledger } = this.#ports;
    if (outcome.type === 'posted') {
      const transactionJson = ledger.transactionJson(outcome.row, outcome.transactionId, unit);
      return { type: 'applied', transactionJson, replayed: outcome.replayed };
    }
    if (outcome.type === 'refused') {
      return { type: 'refused', problem: ledger.refusalProblem(outcome.row), replayed: outcome.replayed };
    }
    return faultAnswer({ code: ledger.failures[outcome.type] }, this.#context.requestId);
  }

  /** R5. The same words as a single request would get. */
  #answersTo(error: unknown, count: number): readonly LineAnswer[] {
    const isKnown = error instanceof ProblemError || error instanceof DatabaseUnavailable;
    if (!isKnown) this.#ports.failed(error);
    const code: ProblemCode = error instanceof DatabaseUnavailable ? 'unavailable' : 'internal';
    const fault: LineFault = error instanceof ProblemError ? faultOf(error) : { code };
    return Array.from({ length: count }, () => faultAnswer(fault, this.#context.requestId));
  }

  /** R2, R3: offered until it is accepted, a bounded number of times; a full mailbox says so before `post` returns. */
  async #offer(request: AccountRequest, offersMade: number, accepted: () => void): Promise<Outcome> {
    const { ledger, limits, monotonicMs, pause } = this.#ports;
    let pauseMs = limits.pauseMs;
    for (let offers = offersMade; ; offers++) {
      if (offers > 0) {
        await pause(pauseMs);
        pauseMs = Math.min(pauseMs * 2, limits.pauseMsMax);
      }
      if (this.#isStopped || monotonicMs() >= request.deadlineMs) return { type: 'expired' };
      const settled = Promise.withResolvers<Outcome>();
      let isReturned = false;
      let isFull = false;
      ledger.post(request, (outcome) => {
        isFull = !isReturned && outcome.type === 'overloaded';
        settled.resolve(outcome);
      });
      isReturned = true;
      if (!isFull || offers + 1 >= limits.offersMax) {
        accepted();
        return settled.promise;
      }
    }
  }

  #settle(place: number, answers: readonly LineAnswer[]): void {
    const { index } = this.#units[place] as Unit;
    for (const answer of answers) this.#ports.count(statusOf(answer));
    this.#texts[place] = answers.map((answer, at) => lineText(index + at, answer)).join('');
    if (place !== this.#written && !this.#isStopped) return;
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

function sizeOf(unit: Unit): number {
  return unit.type === 'group' ? unit.lines.length : 1;
}

function faultOf({ code, detail, errors }: ProblemError): LineFault {
  return { code, ...(detail === undefined ? {} : { detail }), ...(errors === undefined ? {} : { errors }) };
}
