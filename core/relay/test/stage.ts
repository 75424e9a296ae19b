/**
 * A ledger, a Kafka and a clock for the relay, in memory, driven by one seed: everything that waits takes a random
 * time, everything that can fail does so at random, and a run is repeated by its seed.
 */
import type { CommittedBatch, PostedRow } from '@local-plus/actors';
import {
  type AccountId,
  type IdempotencyKey,
  type LedgerTransactionEvent,
  type ProgramId,
  programAccount,
  type RequestId,
  uuidV7,
  type WalletBalanceUpdatedEvent,
} from '@local-plus/contracts';
import { type EventProducer, PublishFailure, type TopicMessages } from '../../platform/kafka/index.ts';
import { HandTimer } from '../../test/hand-timer.ts';
import { type Random, seededRandom } from '../../test/random.ts';
import type { Barrier } from '../barriers.ts';
import type { Announcement } from '../domain.ts';
import { type RelayStore, TailFailure } from '../store.ts';

const programId = uuidV7<ProgramId>(1_700_000_000_000);

/** A row of the given account and version: an earn of 1. */
export function postedRow(accountId: AccountId, version: number, reference: string | null = null): PostedRow {
  return {
    facts: {
      accountId,
      programId,
      idempotencyKey: `k-${version}` as IdempotencyKey,
      requestHash: 'a'.repeat(32),
      requestId: uuidV7<RequestId>(1_700_000_000_000),
      traceparent: null,
      reference,
      metadata: null,
    },
    posting: {
      kind: 'earn',
      amount: 1,
      balanceDelta: 1,
      contraAccountId: programAccount(programId, 'issued'),
      version,
      balanceAfter: version,
      heldAfter: 0,
      occurredAtMs: 1_700_000_000_000 + version,
      baseVersion: null,
      detail: null,
      reversalOf: null,
      due: null,
      checkpoint: null,
    },
    hash: null,
  };
}

/** Virtual time: moves by one step per turn of the event loop. */
export class StageClock {
  #nowMs = 0;
  readonly timer = new HandTimer(() => this.#nowMs);

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.timer.after(delayMs, resolve));
  }

  async step(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#nowMs += 1;
    this.timer.runDue();
  }
}

export interface Chances {
  /** That a call fails; 0 … 1. Can be changed while it runs. */
  kafkaFails: number;
  tableFails: number;
}

/** What is on disk, and what is on Kafka. Outlives every relay. */
export class Stage {
  readonly random: Random;
  readonly clock = new StageClock();
  readonly chances: Chances = { kafkaFails: 0, tableFails: 0 };
  readonly committed: CommittedBatch[] = [];
  readonly topics = new Map<string, { key: string; value: string }[]>();
  progress = 0;
  readonly #accounts: { readonly id: AccountId; version: number }[];

  constructor(seed: number, accounts = 5) {
    this.random = seededRandom(seed);
    this.#accounts = Array.from({ length: accounts }, () => ({ id: uuidV7<AccountId>(1), version: 0 }));
  }

  integer(max: number): number {
    return Math.floor(this.random() * (max + 1));
  }

  /** The next batch, on disk; of `rows` rows, maybe none. */
  commit(rows: number): CommittedBatch {
    const posted = Array.from({ length: rows }, () => {
      const account = this.#accounts[this.integer(this.#accounts.length - 1)] as { id: AccountId; version: number };
      account.version++;
      return postedRow(account.id, account.version);
    });
    const batch = { writerId: 1, batch: this.committed.length + 1, posted };
    this.committed.push(batch);
    return batch;
  }

  /** A store and a producer of one process. After `crash()` nothing they were asked is ever answered. */
  process(): { readonly store: RelayStore; readonly producer: EventProducer; crash(): void } {
    let alive = true;
    const wait = async (msMax: number): Promise<void> => {
      await this.clock.sleep(this.integer(msMax));
      if (!alive) await new Promise(() => undefined);
    };
    return {
      store: new StageStore(this, wait),
      producer: new StageProducer(this, wait),
      crash: () => {
        alive = false;
      },
    };
  }

  append(topics: readonly TopicMessages[], keep: (key: string) => boolean): void {
    for (const { topic, messages } of topics) {
      const log = this.topics.get(topic) ?? [];
      this.topics.set(topic, log);
      for (const { key, value } of messages) if (keep(key)) log.push({ key, value: String(value) });
    }
  }

  /** Per account the versions in a topic's order, each event once. */
  versions(topic: string): Map<string, number[]> {
    const seen = new Set<string>();
    const versions = new Map<string, number[]>();
    for (const { key, value } of this.topics.get(topic) ?? []) {
      const event = JSON.parse(value) as LedgerTransactionEvent | WalletBalanceUpdatedEvent;
      if (seen.has(event.event_id)) continue;
      seen.add(event.event_id);
      const known = versions.get(key) ?? [];
      known.push(event.data.version);
      versions.set(key, known);
    }
    return versions;
  }

  /** What {@link versions} must be once everything has arrived. */
  expectedVersions(): Map<string, number[]> {
    const written = this.#accounts.filter(({ version }) => version > 0);
    return new Map(written.map(({ id, version }) => [id, Array.from({ length: version }, (_, index) => index + 1)]));
  }
}

class StageStore implements RelayStore {
  readonly #stage: Stage;
  readonly #wait: (msMax: number) => Promise<void>;

  constructor(stage: Stage, wait: (msMax: number) => Promise<void>) {
    this.#stage = stage;
    this.#wait = wait;
  }

  async progress(): Promise<number> {
    await this.#travel();
    return this.#stage.progress;
  }

  async saveProgress(_writerId: number, batch: number): Promise<void> {
    await this.#travel();
    this.#stage.progress = Math.max(this.#stage.progress, batch);
    await this.#travel();
  }

  async backlog(_writerId: number, cursor: number) {
    await this.#travel();
    const rows = this.#rowsAfter(cursor);
    await this.#travel();
    return { newest: rows.at(-1)?.batch ?? 0, rows: rows.length };
  }

  async page(_writerId: number, cursor: number, rowsMax: number): Promise<Announcement[]> {
    await this.#travel();
    const rows = this.#rowsAfter(cursor).slice(0, rowsMax);
    await this.#travel();
    return rows;
  }

  async barriers(): Promise<readonly Barrier[]> {
    await this.#travel();
    return [];
  }

  async behind(): Promise<readonly number[]> {
    await this.#travel();
    return [];
  }

  async close(): Promise<void> {
    await this.#wait(1);
  }

  #rowsAfter(cursor: number): Announcement[] {
    return this.#stage.committed
      .slice(cursor)
      .flatMap(({ batch, posted }) => posted.map((row, place) => ({ batch, place, row })));
  }

  async #travel(): Promise<void> {
    await this.#wait(4);
    if (this.#stage.random() < this.#stage.chances.tableFails) throw new TailFailure('the stage says no');
  }
}

class StageProducer implements EventProducer {
  readonly #stage: Stage;
  readonly #wait: (msMax: number) => Promise<void>;
  readonly messagesTotal = new Map<string, number>();
  connected = false;
  #closed = false;

  constructor(stage: Stage, wait: (msMax: number) => Promise<void>) {
    this.#stage = stage;
    this.#wait = wait;
  }

  async connect(): Promise<void> {
    await this.#wait(4);
    if (this.#closed || this.#stage.random() < this.#stage.chances.kafkaFails) throw new PublishFailure('no');
    this.connected = true;
  }

  /** Arrives or not; if it fails: not at all, some keys of it, all of it without a word, or all of it later. */
  async send(topics: readonly TopicMessages[]): Promise<void> {
    const stage = this.#stage;
    await this.#wait(6);
    if (!this.#closed && stage.random() >= stage.chances.kafkaFails) {
      stage.append(topics, () => true);
      await this.#wait(3);
      return;
    }
    const end = this.#closed ? 0 : stage.integer(3);
    const parity = stage.integer(1);
    if (end === 1) stage.append(topics, (key) => (key.charCodeAt(35) & 1) === parity);
    if (end === 2) stage.append(topics, () => true);
    if (end === 3) stage.clock.timer.after(stage.integer(60), () => stage.append(topics, () => true));
    await this.#wait(3);
    this.connected = false;
    throw new PublishFailure('no');
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.connected = false;
  }
}
