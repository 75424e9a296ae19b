/**
 * Works jobs off, a chunk at a time, beside everybody's requests.
 *
 *     claim → [draw codes → encrypt → store both → issue the cards → settle] … → end → release
 *
 * - B1 one process at a time works on a job: its claim raises the epoch, and every statement of it compares that. Time decides
 *   only when others may try.
 * - B2 a chunk's codes and its encrypted lines are stored by one statement, before any of its cards is issued. So a card that
 *   is there has its code in the file, whenever the process dies; and whoever goes on needs neither.
 * - B3 cards have ids that follow from the job: issuing a chunk again issues nothing twice.
 * - B4 it ends: a chunk whose every card is refused ends the job. Trouble is tried again, with growing pauses, until it is over
 *   or the job is cancelled; what is begun is finished even then.
 * - B5 requests go first: lines are encrypted a few at a time between turns of the event loop, and after each chunk it rests.
 */
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import { type Clock, type Log, Sweep, SweepCounters, type Timer, type Visit } from '@local-plus/actors';
import { type GiftcardBatchId, type ProblemCode, problemTable } from '@local-plus/contracts';
import { ProblemError } from '../../platform/http/index.ts';
import { DatabaseUnavailable } from '../../platform/postgres/index.ts';
import type { CardOfBatch } from '../cards/index.ts';
import type { CodeBook, DrawnCode } from '../codes/index.ts';
import { cardIdOf, type JobEvent } from './domain.ts';
import { JweRecipient } from './jwe.ts';
import type { BatchLimits } from './limits.ts';
import type { CardIssuer, JobTerms } from './ports.ts';
import type { BatchRow, BatchStore, Lease } from './store.ts';
import { endedEvent } from './wire.ts';

export interface WorkerPorts {
  readonly store: BatchStore;
  readonly codes: Pick<CodeBook, 'draw' | 'lastFours'>;
  readonly cards: CardIssuer;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly log: Log;
  readonly limits: BatchLimits;
}

/** Plain numbers, read when scraped. */
export class WorkerCounters extends SweepCounters {
  issued = 0;
  refused = 0;
}

/** What another's claim, or a cancellation, has taken from under a worker. */
class Lost extends Error {
  override readonly name = 'Lost';
}

export class BatchWorker {
  readonly #ports: WorkerPorts;
  readonly #sweep: Sweep<{ readonly id: GiftcardBatchId }>;
  readonly counters = new WorkerCounters();
  #isStopping = false;

  constructor(ports: WorkerPorts) {
    this.#ports = ports;
    this.#sweep = new Sweep({
      ...ports,
      of: 'bulk issues of gift cards',
      find: (jobsMax) => ports.store.open(jobsMax),
      idOf: ({ id }) => id,
      visit: ({ id }) => this.#visit(id),
      counters: this.counters,
      limits: ports.limits.work,
    });
  }

  start(): void {
    this.#sweep.start();
  }

  /** After the chunk that is under way. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#sweep.stop();
  }

  async #visit(id: GiftcardBatchId): Promise<Visit> {
    const { store, log, limits } = this.#ports;
    try {
      const row = await store.claim(id, limits.leaseMs);
      if (row === null) return 'done';
      const lease = { id, epoch: row.lease_epoch, leaseMs: limits.leaseMs };
      try {
        await this.#work(row, lease);
        return 'done';
      } finally {
        await store.release(lease);
      }
    } catch (error) {
      if (error instanceof Lost) return 'done';
      if (error instanceof DatabaseUnavailable) return 'trouble';
      const code = error instanceof ProblemError ? error.code : null;
      if (code === null || !problemTable[code].retryable)
        log.error('a bulk issue cannot go on', { batch_id: id, error });
      return code === 'unavailable' ? 'trouble' : 'aside';
    }
  }

  async #work(claimed: BatchRow, lease: Lease): Promise<void> {
    const { clock, limits } = this.#ports;
    const recipient = JweRecipient.of(claimed.public_key);
    if (recipient === null) throw new Error('a job has a key that is none');
    const untilMs = clock.monotonicMs() + limits.turnMs;
    let row = claimed;
    while (!this.#isStopping && clock.monotonicMs() < untilMs) {
      const startedMs = clock.monotonicMs();
      const event = endOf(row);
      if (event !== null) return this.#end(row, lease, event);
      const drawn = row.drawn > row.issued + row.failed ? null : await this.#draw(row, lease, recipient);
      const issuedBefore = row.issued;
      row = await this.#issue(row, lease, drawn);
      // B4
      if (row.issued === issuedBefore) return this.#end(row, lease, 'refuse');
      await pause(Math.min(limits.restMsMax, (clock.monotonicMs() - startedMs) * limits.restShare));
    }
  }

  async #end(row: BatchRow, lease: Lease, event: Exclude<JobEvent, 'begin'>): Promise<void> {
    const { store, clock, log } = this.#ports;
    const ended = await store.end(lease, event, endedEvent(row, event, clock.nowMs()));
    if (ended === null) throw new Lost();
    const { id, status, issued, failed, failure } = ended;
    log.info('a bulk issue of gift cards ended', { batch_id: id, status, issued, failed, failure });
  }

  /** B2. */
  async #draw(row: BatchRow, lease: Lease, recipient: JweRecipient): Promise<readonly DrawnCode[]> {
    const { store, codes, limits } = this.#ports;
    const { merchant_id: merchantId, has_pin: pin, drawn: place } = row;
    const count = Math.min(pin ? limits.chunkCardsWithPin : limits.chunkCards, row.cards_count - place);
    const requests = cardIds(row, place, count).map((cardId) => ({ cardId, merchantId, pin }));
    const drawn = await codes.draw(requests);
    const lines = await this.#encrypt(drawn.codes, recipient);
    if (!(await store.draw(lease, { place, lines_count: count, lines }, drawn.kept))) throw new Lost();
    return drawn.codes;
  }

  /** B5. */
  async #encrypt(codes: readonly DrawnCode[], recipient: JweRecipient): Promise<string> {
    let lines = '';
    for (const [index, { cardId, code, lastFour, pin }] of codes.entries()) {
      if (index % this.#ports.limits.linesPerTurn === 0) await turn();
      const card = { giftcard_id: cardId, code, last_four: lastFour, pin };
      lines += `${JSON.stringify(recipient.encrypt(JSON.stringify(card)))}\n`;
    }
    return lines;
  }

  /** @param drawn the chunk's codes, where they are in hand: of one that somebody left they are not, and need not be */
  async #issue(row: BatchRow, lease: Lease, drawn: readonly DrawnCode[] | null): Promise<BatchRow> {
    const { store } = this.#ports;
    const place = row.issued + row.failed;
    const chunk = drawn ?? (await this.#left(row, place));
    const refusals = await this.#refusals(termsOf(row), chunk);
    const issued = chunk.length - refusals.size;
    this.counters.issued += issued;
    this.counters.refused += refusals.size;
    const settled = await store.settle(lease, {
      place,
      issued,
      failed: refusals.size,
      failure: [...refusals.values()][0] ?? null,
      lines: refusals.size === 0 ? null : await this.#linesWithout(row.id, place, refusals),
    });
    if (settled === null) throw new Lost();
    return settled;
  }

  /** The cards of a chunk that was drawn before, by whomever. */
  async #left(row: BatchRow, place: number): Promise<readonly CardOfBatch[]> {
    const ids = cardIds(row, place, row.drawn - place);
    const lastFours = await this.#ports.codes.lastFours(ids);
    return ids.map((cardId) => {
      const lastFour = lastFours.get(cardId);
      if (lastFour === undefined) throw new Error('a card of a chunk has no code');
      return { cardId, lastFour };
    });
  }

  /** Which cards of a chunk are refused, by their place in it, and why; the others are there. */
  async #refusals(terms: JobTerms, cards: readonly CardOfBatch[]): Promise<ReadonlyMap<number, ProblemCode>> {
    const refusals = new Map<number, ProblemCode>();
    if ((await this.#refusal(terms, cards)) === null) return refusals;
    for (const [index, card] of cards.entries()) {
      const code = await this.#refusal(terms, [card]);
      if (code !== null) refusals.set(index, code);
    }
    return refusals;
  }

  /** null: they are there. Throws what may be tried again, and what is a bug. */
  async #refusal(terms: JobTerms, cards: readonly CardOfBatch[]): Promise<ProblemCode | null> {
    try {
      await this.#ports.cards.issueMany(terms, cards);
      return null;
    } catch (error) {
      if (error instanceof ProblemError && !problemTable[error.code].retryable) return error.code;
      throw error;
    }
  }

  async #linesWithout(id: GiftcardBatchId, place: number, refusals: ReadonlyMap<number, ProblemCode>): Promise<string> {
    const chunk = await this.#ports.store.chunk(id, place);
    if (chunk === null) throw new Error('a chunk has no lines');
    const kept = chunk.lines.split('\n').filter((line, index) => line !== '' && !refusals.has(index));
    return kept.map((line) => `${line}\n`).join('');
  }
}

/** What ends the job, if nothing of it is under way. */
function endOf({ status, drawn, issued, failed, cards_count }: BatchRow): 'complete' | 'refuse' | 'settle' | null {
  if (drawn > issued + failed) return null;
  if (drawn === cards_count) return issued > 0 ? 'complete' : 'refuse';
  return status === 'cancelling' ? 'settle' : null;
}

/** B3. */
function cardIds({ id, created_at }: BatchRow, place: number, count: number) {
  return Array.from({ length: count }, (_, index) => cardIdOf(id, created_at.getTime(), place + index));
}

function termsOf(row: BatchRow): JobTerms {
  return {
    batchId: row.id,
    merchantId: row.merchant_id,
    programId: row.program_id,
    catalogItemId: row.catalog_item_id,
    amount: row.amount,
    expiresOn: row.expires_on,
    activate: row.activate,
    hasPin: row.has_pin,
    requestId: row.request_id,
  };
}
