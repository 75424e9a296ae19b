/**
 * The producer in a thread of its own. To kafkajs a transaction's two messages cost 25 to 30 µs of processor time: as much as
 * all the rest of an earn. Here they cost the thread that answers requests only their text.
 *
 * What P1 to P3 of `producer.ts` promise holds: the thread runs that one. And:
 *
 * T1 A thread that ends, or says nothing past its time, is replaced by the next thing that is tried: with a producer of its own,
 *    so P2 holds, too. Whatever it was asked fails.
 * T2 Its memory is bounded by itself; running out of it ends the thread, not the process.
 */
import { Worker } from 'node:worker_threads';
import { packTopic } from './frame.ts';
import { kafkaLimits } from './limits.ts';
import { type EventProducer, type ProducerOptions, PublishFailure, type TopicMessages } from './producer.ts';
import type { FromThread, ThreadOptions, ToThread } from './thread-messages.ts';

export function createThreadedProducer(options: ProducerOptions): EventProducer {
  return new ThreadedProducer(options);
}

type Asked = ToThread extends infer Each ? (Each extends ToThread ? Omit<Each, 'id'> : never) : never;

/** Who waits for the thread's word. */
interface Waiting {
  readonly settle: (failure: string | null) => void;
}

class ThreadedProducer implements EventProducer {
  readonly #options: ThreadOptions;
  readonly #log: ProducerOptions['log'];
  readonly #messagesTotal = new Map<string, number>();
  readonly #waiting = new Map<number, Waiting>();
  #thread: Worker | null = null;
  #lastId = 0;
  #connected = false;
  #closed = false;

  constructor({ log, monotonicMs: _, ...options }: ProducerOptions) {
    this.#options = options;
    this.#log = log;
  }

  get connected(): boolean {
    return this.#connected;
  }

  get messagesTotal(): ReadonlyMap<string, number> {
    return this.#messagesTotal;
  }

  connect(): Promise<void> {
    return this.#ask({ type: 'connect' });
  }

  async send(topics: readonly TopicMessages[]): Promise<void> {
    await this.#ask({ type: 'send', topics: topics.map(packTopic) });
    for (const { topic, messages } of topics) {
      this.#messagesTotal.set(topic, (this.#messagesTotal.get(topic) ?? 0) + messages.length);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    const thread = this.#thread;
    // What is under way fails by the thread's own word; what does not is ended with it.
    if (thread !== null) await this.#ask({ type: 'close' }, kafkaLimits.closeMs * 2).catch(() => undefined);
    this.#closed = true;
    this.#connected = false;
    this.#thread = null;
    this.#failAll('the producer is closed');
    await thread?.terminate();
  }

  #ask(asked: Asked, patienceMs: number = kafkaLimits.threadMs): Promise<void> {
    if (this.#closed) return Promise.reject(new PublishFailure('the producer is closed'));
    const thread = this.#thread ?? this.#start();
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#gone(thread, 'the thread does not answer'), patienceMs);
      const settle = (failure: string | null): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        if (failure === null) resolve();
        else reject(new PublishFailure(failure));
      };
      this.#waiting.set(id, { settle });
      thread.postMessage({ ...asked, id } satisfies ToThread);
    });
  }

  #start(): Worker {
    const thread = new Worker(new URL('./thread.ts', import.meta.url), {
      workerData: this.#options,
      resourceLimits: { maxOldGenerationSizeMb: kafkaLimits.threadHeapMb },
    });
    thread.on('message', (message: FromThread) => this.#hear(thread, message));
    thread.on('error', (cause) => this.#gone(thread, cause instanceof Error ? cause.message : 'the thread failed'));
    thread.on('exit', () => this.#gone(thread, 'the thread ended'));
    this.#thread = thread;
    return thread;
  }

  #hear(thread: Worker, message: FromThread): void {
    if (message.type === 'log') {
      this.#log[message.level](message.event, message.fields);
      return;
    }
    if (this.#thread === thread) this.#connected = message.connected;
    this.#waiting.get(message.id)?.settle(message.failure);
  }

  /** T1. */
  #gone(thread: Worker, why: string): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
    this.#connected = false;
    this.#log.warn('the thread that speaks to Kafka is replaced', { cause: why });
    this.#failAll(why);
    thread.terminate().catch((error: unknown) => this.#log.error('a thread could not be ended', { error }));
  }

  #failAll(why: string): void {
    for (const { settle } of [...this.#waiting.values()]) settle(why);
  }
}
