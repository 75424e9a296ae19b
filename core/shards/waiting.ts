/**
 * Questions that wait: for another process's answer, or for their shard to arrive somewhere. One queue per shard.
 *
 * - Q1 the questions of a shard keep their order, across retries and moves: of one shard at most one message is under way,
 *   and what has to go again stands in front.
 * - Q2 every question is answered exactly once, at its deadline at the latest: `expired` when nothing of it can have
 *   happened, `unavailable` when something may have.
 * - Q3 once something of it may have happened, no answer says that nothing did: only what is durable is certain.
 */
import type { Outcome } from '@local-plus/actors';
import { type Question, questionText, type Reply, shardOfQuestion } from './wire.ts';

export class Waiting {
  readonly asked: Question;
  readonly shard: number;
  /** By the monotonic clock. */
  readonly deadlineMs: number;
  readonly #answer: (reply: Reply) => void;
  #text: string | null = null;
  isAnswered = false;
  /** It has been in a message. */
  wasSent = false;
  /** Q3. */
  mayHaveHappened = false;

  constructor(asked: Question, deadlineMs: number, answer: (reply: Reply) => void) {
    this.asked = asked;
    this.shard = shardOfQuestion(asked);
    this.deadlineMs = deadlineMs;
    this.#answer = answer;
  }

  /** Made once, when it has to leave the process. */
  get text(): string {
    this.#text ??= questionText(this.asked);
    return this.#text;
  }

  /** The first call answers. */
  settle(reply: Reply): void {
    if (this.isAnswered) return;
    this.isAnswered = true;
    this.#answer(reply.type === 'outcome' ? { type: 'outcome', outcome: this.#certain(reply.outcome) } : reply);
  }

  /** It came to nothing, or nobody knows. */
  giveUp(type: 'expired' | 'overloaded' | 'unavailable'): void {
    if (this.asked.type === 'read') this.settle({ type: 'state', state: null });
    else this.settle({ type: 'outcome', outcome: { type } });
  }

  /** Q3. */
  #certain(outcome: Outcome): Outcome {
    if (!this.mayHaveHappened) return outcome;
    const { type } = outcome;
    return type === 'expired' || type === 'overloaded' || type === 'failed' ? { type: 'unavailable' } : outcome;
  }
}

/** One shard's. */
export class ShardQueue {
  readonly shard: number;
  #items: Waiting[] = [];
  /** In the message under way; null: there is none. */
  #sent: readonly Waiting[] | null = null;
  /** Not before. */
  againMs = Number.NEGATIVE_INFINITY;
  /** Times in a row that it came to nothing. */
  failures = 0;

  constructor(shard: number) {
    this.shard = shard;
  }

  get size(): number {
    return this.#items.length + (this.#sent?.length ?? 0);
  }

  get isEmpty(): boolean {
    return this.#items.length === 0 && this.#sent === null;
  }

  get first(): Waiting | undefined {
    return this.#items[0];
  }

  get isUnderWay(): boolean {
    return this.#sent !== null;
  }

  push(item: Waiting): void {
    this.#items.push(item);
  }

  /** The first ones, for one message (Q1). */
  take(itemsMax: number, bytesMax: number): readonly Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#items.length && count < itemsMax && (count === 0 || bytes < bytesMax)) {
      bytes += (this.#items[count] as Waiting).text.length;
      count++;
    }
    const taken = this.#items.splice(0, count);
    for (const item of taken) item.wasSent = true;
    this.#sent = taken;
    return taken;
  }

  /** The message is over; what was not answered stands in front again. */
  back(): void {
    const again = (this.#sent ?? []).filter(({ isAnswered }) => !isAnswered);
    this.#items = [...again, ...this.#items];
    this.#sent = null;
  }

  shift(): Waiting | undefined {
    return this.#items.shift();
  }

  /** Q2. */
  expire(nowMs: number): void {
    for (const item of this.#sent ?? []) if (item.deadlineMs <= nowMs) item.giveUp('unavailable');
    if (!this.#items.some(({ deadlineMs }) => deadlineMs <= nowMs)) return;
    this.#items = this.#items.filter((item) => {
      if (item.deadlineMs > nowMs) return true;
      item.giveUp('expired');
      return false;
    });
  }

  /** Everything is told that nobody knows. */
  abandon(): void {
    for (const item of [...(this.#sent ?? []), ...this.#items.splice(0)]) item.giveUp('unavailable');
  }
}
