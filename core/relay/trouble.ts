/**
 * What the relay makes of failures: says once that something is away and once that it is back, and paces the tries
 * between: doubled up to a maximum, and shortened at random, so that relays do not knock all at once.
 */
import type { Log } from '@local-plus/actors';
import { PublishFailure } from '../platform/kafka/index.ts';
import type { RelayLimits } from './limits.ts';
import { TailFailure } from './store.ts';

export interface TroublePorts {
  /** 0 ≤ x < 1 */
  readonly random: () => number;
  readonly log: Log;
  readonly limits: Pick<RelayLimits, 'backoffMs' | 'backoffMsMax'>;
}

/** `relay`: a fault of our own; tried again all the same, because to stop would be to skip. */
export type TroubleWith = 'kafka' | 'table' | 'relay';

const sentences: Readonly<Record<TroubleWith, { away: string; back: string }>> = {
  kafka: { away: 'Kafka is away; events wait in the ledger', back: 'Kafka is back; events flow again' },
  table: { away: 'the relay cannot read the ledger', back: 'the relay reads the ledger again' },
  relay: { away: 'the relay has met a fault of its own', back: 'the relay is over its fault' },
};

export class Trouble {
  readonly #ports: TroublePorts;
  readonly #met = new Set<TroubleWith>();
  #tries = 0;

  constructor(ports: TroublePorts) {
    this.#ports = ports;
  }

  /** @returns what failed, and how long to wait before the next try */
  met(cause: unknown, status: object): { readonly with: TroubleWith; readonly pauseMs: number } {
    const { limits, random, log } = this.#ports;
    const kind = cause instanceof PublishFailure ? 'kafka' : cause instanceof TailFailure ? 'table' : 'relay';
    if (!this.#met.has(kind)) {
      this.#met.add(kind);
      const say = kind === 'relay' ? log.error : log.warn;
      say(sentences[kind].away, { cause: String(cause), ...status });
    }
    const longestMs = Math.min(limits.backoffMs * 2 ** this.#tries, limits.backoffMsMax);
    if (longestMs < limits.backoffMsMax) this.#tries++;
    return { with: kind, pauseMs: longestMs * (1 - random() / 2) };
  }

  /** A whole round went well. */
  over(status: object): void {
    if (this.#met.size === 0) return;
    for (const kind of this.#met) this.#ports.log.info(sentences[kind].back, { ...status });
    this.#met.clear();
    this.#tries = 0;
  }
}
