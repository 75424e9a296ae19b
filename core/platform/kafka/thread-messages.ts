/** What the thread that speaks to Kafka is asked, and what it says. */
import type { TopicFrame } from './frame.ts';
import type { ProducerOptions } from './producer.ts';

/** What the thread begins with: the options but for what cannot leave its own thread. */
export type ThreadOptions = Omit<ProducerOptions, 'log' | 'monotonicMs'>;

export type ToThread =
  | { readonly type: 'connect'; readonly id: number }
  | { readonly type: 'send'; readonly id: number; readonly topics: readonly TopicFrame[] }
  | { readonly type: 'close'; readonly id: number };

export type FromThread =
  /** `failure`: in words; null: it is done. */
  | { readonly type: 'done'; readonly id: number; readonly failure: string | null; readonly connected: boolean }
  | {
      readonly type: 'log';
      readonly level: 'info' | 'warn' | 'error';
      readonly event: string;
      readonly fields: Readonly<Record<string, unknown>>;
    };
